// <live-parts src>: keeps the parts of a page ([data-part], by id) as the server sees them, and says whether it does.
// A part that someone points at or has the focus in is held, so that nothing moves away under a pointer.

import { localize, write } from "./clock.js";

const SILENCE = 35_000; // the server beats every 15 s
const BLIP = 5_000; // a connection lost for less is not worth a word
const RETRY = 10_000; // after the browser has given up by itself

class LiveParts extends HTMLElement {
  #source = null;
  #next = new Map(); // newest content of each part that is not shown yet
  #heard = Date.now();
  #closed = 0;
  #paused = false;

  connectedCallback() {
    for (const kind of ["pointerover", "pointerleave", "focusin", "focusout"]) {
      this.addEventListener(kind, () => queueMicrotask(() => this.#settle()));
    }
    this.querySelector("[data-pause]").addEventListener("click", () => this.#pause(true));
    this.querySelector("[data-resume]").addEventListener("click", () => this.#pause(false));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    setInterval(() => this.#settle(), 1000);
    this.#open();
  }

  #open() {
    this.#close();
    this.#source = new EventSource(this.getAttribute("src"));
    this.#source.addEventListener("beat", () => this.#hear());
    this.#source.addEventListener("message", (event) => this.#hear(event.data));
    this.#source.addEventListener("error", () => (this.#closed = Date.now()));
  }

  #close() {
    this.#source?.close();
  }

  #hear(html) {
    this.#heard = Date.now();
    if (html !== undefined) {
      const page = new DOMParser().parseFromString(html, "text/html");
      localize(page);
      for (const part of page.querySelectorAll("[data-part]")) this.#next.set(part.id, part.innerHTML);
    }
    this.#settle();
  }

  #pause(paused) {
    this.#paused = paused;
    this.#settle();
    this.querySelector(paused ? "[data-resume]" : "[data-pause]").focus();
  }

  #settle() {
    if (!document.hidden && this.#source.readyState === EventSource.CLOSED && Date.now() - this.#closed > RETRY) this.#open();
    this.#tell();
    for (const [id, html] of this.#next) {
      const part = document.getElementById(id);
      const held = this.#isHeld(part);
      part.toggleAttribute("data-held", held);
      if (held || this.#paused) continue;
      this.#next.delete(id);
      htmx.swap({ sourceElement: part, target: part, text: html, swap: "innerMorph" });
    }
  }

  #isHeld(part) {
    if (!part.querySelector(".held")) return false; // nothing in it can be pressed
    const pointed = matchMedia("(hover: hover)").matches && part.matches(":hover");
    return pointed || part.querySelector(":focus-visible") !== null;
  }

  #tell() {
    const lost = this.#source.readyState !== EventSource.OPEN && Date.now() - this.#heard > BLIP;
    const stale = lost || Date.now() - this.#heard > SILENCE;
    const state = this.#paused ? "paused" : stale ? "stale" : "live";
    if (this.dataset.state === state) return;
    this.dataset.state = state;
    for (const tag of this.querySelectorAll("[data-state]")) {
      tag.hidden = tag.dataset.state !== state;
      const time = tag.querySelector("time");
      if (time && !tag.hidden) time.textContent = write(this.#heard, "clock");
    }
    this.querySelector("[data-pause]").hidden = this.#paused;
    this.querySelector("[data-resume]").hidden = !this.#paused;
  }
}

customElements.define("live-parts", LiveParts);
