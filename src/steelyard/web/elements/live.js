// <live-parts src data-frame>: keeps the parts of a page ([data-part], by id) as the server sees them, and says whether
// it does. The server sends the parts that differ, and for lists ([data-order]) which rows stand in them, in which order.
// What someone points at or has the focus in is held, with all that would move it.

import { localize, write } from "./clock.js";

const SILENCE = 35_000; // the server beats every 15 s
const BLIP = 5_000; // a connection lost for less is not worth a word
const RETRY = 10_000; // after the browser has given up by itself
const TOLD = '[data-state="live"], [data-state="paused"], [data-state="stale"], [data-state="still"]';

class LiveParts extends HTMLElement {
  #source = null;
  #next = new Map(); // newest element of each part that is not shown yet
  #orders = new Map(); // newest order of each list that is not shown yet
  #frame = this.dataset.frame;
  #heard = Date.now();
  #closed = 0;
  #paused = false;
  #ahead = Date.now() - Date.parse(this.dataset.now); // of the server's clock

  connectedCallback() {
    for (const kind of ["pointerover", "pointerleave", "focusin", "focusout"]) {
      this.addEventListener(kind, () => queueMicrotask(() => this.#settle()));
    }
    this.querySelector("[data-pause]").addEventListener("click", () => this.#pause(true));
    this.querySelector("[data-resume]").addEventListener("click", () => this.#pause(false));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    setInterval(() => this.#tick(), 1000);
    this.#open();
  }

  #open() {
    this.#close();
    const address = new URL(this.getAttribute("src"), location.href);
    if (this.#frame) address.searchParams.set("frame", this.#frame);
    this.#source = new EventSource(address);
    this.#source.addEventListener("beat", () => this.#hear());
    this.#source.addEventListener("message", (event) => this.#hear(event));
    this.#source.addEventListener("error", () => (this.#closed = Date.now()));
  }

  #close() {
    this.#source?.close();
  }

  #hear(event) {
    this.#heard = Date.now();
    if (event) {
      this.#frame = event.lastEventId;
      const page = new DOMParser().parseFromString(event.data, "text/html");
      localize(page);
      this.#write(page);
      for (const list of page.querySelectorAll("[data-order]")) this.#orders.set(list.id, list.dataset.order.split(" "));
      for (const part of page.querySelectorAll("[data-part]")) this.#next.set(part.id, document.adoptNode(part));
    }
    this.#settle();
  }

  #pause(paused) {
    this.#paused = paused;
    this.#settle();
    this.querySelector(paused ? "[data-resume]" : "[data-pause]").focus();
  }

  #tick() {
    if (!document.hidden && this.#source.readyState === EventSource.CLOSED && Date.now() - this.#closed > RETRY) this.#open();
    this.#write(this);
    this.#settle();
  }

  #settle() {
    this.#tell();
    const used = this.#used();
    for (const holder of this.querySelectorAll("[data-held]")) holder.removeAttribute("data-held");
    for (const [id, part] of this.#next) {
      const shown = document.getElementById(id);
      if (!shown) continue; // a row that its list does not show yet
      if (this.#paused) continue;
      if (used.some((each) => moves(shown, each))) mark(shown);
      else {
        this.#next.delete(id);
        htmx.swap({ sourceElement: shown, target: shown, text: part.innerHTML, swap: "innerMorph" });
      }
    }
    this.#arrange(used);
  }

  /** Puts the rows of lists in their newest order, unless one of them is in use. */
  #arrange(used) {
    if (!this.#orders.size || this.#paused) return;
    const lists = [...this.#orders.keys()].map((id) => document.getElementById(id));
    const held = lists.filter((list) => used.some((each) => list.closest(".panel") === each.closest(".panel")));
    if (held.length) return held.forEach(mark);
    const focused = document.activeElement;
    const rows = lists.map((list) => this.#orders.get(list.id).map((key) => this.#row(`engineer-${key}`)).filter(Boolean));
    this.#orders.clear();
    lists.forEach((list, place) => fill(list, rows[place]));
    if (focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  #row(id) {
    const shown = document.getElementById(id);
    const next = this.#next.get(id);
    if (shown || !next) return shown;
    this.#next.delete(id);
    return next;
  }

  /** What is pointed at, and what has the focus. */
  #used() {
    const found = [this.querySelector(":focus-visible")];
    if (matchMedia("(hover: hover)").matches) found.push([...this.querySelectorAll("li:hover, [data-part]:hover")].at(-1));
    return found.filter(Boolean);
  }

  /** Times that go by. */
  #write(root) {
    const now = Date.now() - this.#ahead;
    for (const time of root.querySelectorAll("time[data-age]")) tell(time, age(now - Date.parse(time.dataset.age)));
    for (const time of root.querySelectorAll("time[data-local]")) tell(time, clockIn(time.dataset.local, now));
  }

  #tell() {
    const lost = this.#source.readyState !== EventSource.OPEN && Date.now() - this.#heard > BLIP;
    const stale = lost || Date.now() - this.#heard > SILENCE;
    const state = this.#paused ? "paused" : stale ? "stale" : "live";
    if (this.dataset.state === state) return;
    this.dataset.state = state;
    for (const tag of this.querySelectorAll(TOLD)) {
      tag.hidden = tag.dataset.state !== state;
      const time = tag.querySelector("time");
      if (time && !tag.hidden) time.textContent = write(this.#heard, "clock");
    }
    this.querySelector("[data-pause]").hidden = this.#paused;
    this.querySelector("[data-resume]").hidden = !this.#paused;
  }
}

/** Whether new content of `part` would change, or move, what is in use. */
function moves(part, used) {
  if (part.contains(used)) return part.querySelector(".held") !== null || part.matches("li");
  if (!part.querySelector(".held")) return false; // as high as before, whatever it says
  const [one, other] = [part.getBoundingClientRect(), used.getBoundingClientRect()];
  return one.bottom <= other.top + 1 && one.left < other.right && other.left < one.right;
}

/** Says beside the title of its panel that something is held. */
function mark(element) {
  element.closest(".panel")?.setAttribute("data-held", "");
}

/** Makes `rows` the rows of a list. Those that stand right are not touched: a moved element would lose its focus. */
function fill(list, rows) {
  const wanted = new Set(rows);
  let at = list.firstElementChild;
  for (const row of rows) {
    while (at && !wanted.has(at)) at = drop(at);
    if (row === at) at = at.nextElementSibling;
    else list.insertBefore(row, at);
  }
  while (at) at = drop(at);
}

/** Takes a row out of its list; the one after it. */
function drop(row) {
  const next = row.nextElementSibling;
  row.remove();
  return next;
}

function tell(time, text) {
  if (time.textContent !== text) time.textContent = text;
}

/** A length of time as the server writes it: 0:06, 8:40, 1:02:10. */
function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const clocks = new Map();

/** The time in a zone; empty where this browser does not know it. */
function clockIn(zone, now) {
  if (!clocks.has(zone)) clocks.set(zone, clock(zone));
  return clocks.get(zone)?.format(now) ?? "";
}

function clock(zone) {
  try {
    return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  } catch {
    return null;
  }
}

customElements.define("live-parts", LiveParts);
