// <move-desk>: gives a conversation to somebody by dragging it onto their row, or by keyboard (m) from a list. Both send
// the form that is in it; nothing on the page moves until the server says so. Its words are in its templates.

import { localize } from "./clock.js";

const FAR = 6; // pixels from which a press becomes a drag
const WHAT = "[data-conversation], [data-engineer] .block[data-id]";
const WHO = "[data-engineer]";

class MoveDesk extends HTMLElement {
  #drag = null;
  #asked = null; // what is to be moved, while it is chosen to whom
  #focused = null; // what had the focus before the button was pressed

  connectedCallback() {
    document.addEventListener("pointerdown", (event) => this.#press(event));
    document.addEventListener("pointermove", (event) => this.#pull(event));
    document.addEventListener("pointerup", (event) => this.#drop(event));
    document.addEventListener("pointercancel", () => this.#let());
    document.addEventListener("dragstart", (event) => event.target.closest?.(WHAT) && event.preventDefault());
    document.addEventListener("click", (event) => this.#swallow(event), true);
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#drag && this.#leave());
    this.#button.addEventListener("focus", (event) => (this.#focused = event.relatedTarget));
    this.#button.addEventListener("click", () => this.#begin());
    this.#input.addEventListener("input", () => this.#fill());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("click", (event) => this.#take(event.target.closest("[role=option]")));
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  get #form() { return this.querySelector("form[method=post]"); }
  get #status() { return this.querySelector("[role=status]"); }
  get #button() { return this.querySelector("[data-key=m]"); }
  get #dialog() { return this.querySelector("dialog"); }
  get #input() { return this.querySelector("[role=combobox]"); }
  get #list() { return this.querySelector("[role=listbox]"); }

  // By pointer

  #press(event) {
    const what = event.target.closest?.(WHAT);
    if (!what || event.button !== 0 || event.pointerType === "touch" || event.target.closest("button, input")) return;
    this.#drag = { what, x: event.clientX, y: event.clientY, ghost: null, over: null };
  }

  #pull(event) {
    const drag = this.#drag;
    if (!drag) return;
    if (!drag.ghost && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < FAR) return;
    if (!drag.ghost) {
      drag.ghost = Object.assign(document.createElement("div"), { className: "dragged", textContent: nameOf(drag.what) });
      document.body.append(drag.ghost);
      document.documentElement.toggleAttribute("data-dragging", true);
      getSelection()?.removeAllRanges();
    }
    drag.ghost.style.translate = `${event.clientX + 12}px ${event.clientY + 8}px`;
    this.#over(rowAt(event));
  }

  #over(row) {
    const drag = this.#drag;
    if (row === drag.over) return;
    drag.over?.removeAttribute("data-over");
    drag.over = row;
    row?.setAttribute("data-over", "");
    if (row) this.#say("over", { name: row.querySelector(".name").textContent, load: loadOf(row) });
  }

  #drop(event) {
    const drag = this.#drag;
    if (!drag?.ghost) {
      this.#drag = null;
      return;
    }
    const row = rowAt(event);
    drag.dropped = true;
    this.#let();
    this.#dragged = event.timeStamp;
    if (row && row.dataset.engineer !== ownerOf(drag.what)) this.#send(drag.what, row);
    else this.#say("left");
  }

  #dragged = 0;

  /** The click that ends a drag opens nothing. */
  #swallow(event) {
    if (this.#dragged && event.timeStamp - this.#dragged < 100 && event.target.closest(WHAT)) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.#dragged = 0;
  }

  #leave() {
    this.#let();
    this.#say("left");
  }

  #let() {
    this.#drag?.over?.removeAttribute("data-over");
    this.#drag?.ghost?.remove();
    document.documentElement.toggleAttribute("data-dragging", false);
    this.#drag = null;
  }

  // By keyboard, and from the button

  #begin() {
    const from = this.#focused;
    this.#focused = null;
    const what = from?.closest(WHAT);
    const row = from?.closest(WHO);
    this.#return = what || row ? from : this.#button;
    if (what) this.#ask(what);
    else this.#choose("what", "", [...(row ?? document).querySelectorAll(WHAT)]);
  }

  #return = null;
  #options = [];

  #ask(what) {
    this.#asked = what;
    const rows = [...document.querySelectorAll(WHO)].filter((each) => each.dataset.engineer !== ownerOf(what));
    this.#choose("who", nameOf(what), rows);
  }

  #choose(kind, what, elements) {
    const seen = new Set();
    this.#options = elements.filter((each) => {
      const id = each.dataset.engineer ?? idOf(each);
      return !seen.has(id) && seen.add(id);
    }).map((element) => ({ element, text: kind === "who" ? engineerText(element) : conversationText(element) }));
    this.querySelector("h2").textContent = this.#words(kind, { what });
    this.#input.value = "";
    this.#fill();
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
  }

  #fill() {
    const typed = this.#input.value.trim().toLocaleLowerCase();
    const found = this.#options.filter((each) => each.text.toLocaleLowerCase().includes(typed));
    this.#list.replaceChildren(...found.map(({ element, text }, place) => {
      const option = Object.assign(document.createElement("li"), { id: `move-option-${place}`, role: "option", textContent: text });
      option.element = element;
      return option;
    }));
    this.#mark(this.#list.firstElementChild);
    if (!found.length) this.#say("none");
  }

  #mark(option) {
    this.#list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const marked = this.#list.querySelector("[aria-selected=true]");
    if (event.key === "ArrowDown") this.#mark(marked?.nextElementSibling ?? marked);
    else if (event.key === "ArrowUp") this.#mark(marked?.previousElementSibling ?? marked);
    else if (event.key === "Enter" && !event.isComposing) this.#take(marked);
    else return;
    event.preventDefault();
  }

  #take(option) {
    const element = option?.element;
    if (!element) return;
    if (!this.#asked) {
      this.#ask(element);
      return;
    }
    const what = this.#asked;
    this.#asked = null;
    this.#sent = true;
    this.#dialog.close();
    this.#send(what, element);
  }

  #sent = false;

  #closed() {
    if (!this.#sent) this.#say("left");
    this.#sent = false;
    this.#asked = null;
    this.#return?.focus();
  }

  // Asking the server

  async #send(what, row) {
    const fields = this.#form.elements;
    fields.conversation.value = idOf(what);
    fields.expected.value = ownerOf(what);
    fields.engineer.value = row.dataset.engineer;
    this.#say("sent", { name: row.querySelector(".name").textContent });
    try {
      const sent = { method: "POST", body: new URLSearchParams(new FormData(this.#form)), headers: { "HX-Request": "true" } };
      const answer = await fetch(this.#form.action, sent);
      const type = answer.headers.get("content-type") ?? "";
      if (!type.startsWith("text/html")) throw new Error(`${answer.status}`);
      this.#show(await answer.text());
    } catch {
      this.#say("unreachable", {}, true);
    }
  }

  /** Shows the server's toast. */
  #show(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const toast = page.querySelector(".toast");
    if (!toast) {
      this.#say("unreachable", {}, true);
      return;
    }
    toast.removeAttribute("autofocus");
    localize(toast);
    for (const each of document.querySelectorAll(".toast")) each.remove();
    this.#status.textContent = "";
    this.#status.after(toast); // beside the page: nothing on it moves
    toast.querySelector("[href]")?.addEventListener("click", (event) => {
      event.preventDefault();
      toast.remove();
    });
  }

  #say(key, values = {}, loud = false) {
    this.#status.textContent = this.#words(key, values);
    this.#status.classList.toggle("sr", !loud);
  }

  #words(key, values = {}) {
    const text = this.querySelector(`template[data-say=${key}]`).content.textContent.trim();
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }
}

function rowAt(event) {
  return document.elementFromPoint(event.clientX, event.clientY)?.closest(WHO) ?? null;
}

function idOf(what) {
  return what.dataset.conversation ?? what.dataset.id;
}

/** Whom it is seen with, or 0. What is only in the shadow is with nobody. */
function ownerOf(what) {
  if (what.classList.contains("hollow")) return "0";
  return what.dataset.owner ?? what.closest(WHO)?.dataset.engineer ?? "0";
}

function nameOf(what) {
  const named = what.querySelector(".what, title");
  return (named ?? what).textContent.trim();
}

function loadOf(row) {
  return row.querySelector(".load").lastChild.textContent.trim();
}

function engineerText(row) {
  const group = row.closest("section")?.querySelector("h3")?.firstChild?.textContent.trim();
  const off = row.closest(".is-off") && group ? ` (${group.toLocaleLowerCase()})` : "";
  return `${row.querySelector(".name").textContent}, ${loadOf(row)}${off}`;
}

function conversationText(what) {
  const owner = what.closest(WHO)?.querySelector(".name").textContent;
  const topic = what.querySelector(".topic")?.textContent.trim().replace(/\s+/g, " ");
  return [nameOf(what), topic, idOf(what), owner].filter(Boolean).join(", ");
}

customElements.define("move-desk", MoveDesk);
