// @ts-check
/** Says beside the editor what was done to it, with a way back; out of reach of the page's styles. */

/**
 * @typedef {object} Way
 * @property {string} label
 * @property {() => void} act
 */

/** The console's colours (ui/tokens.css); lengths in pixels, since a page may make its own of the rest. */
const STYLE = `
:host { all: initial; }
section {
  all: initial; display: block; position: fixed; margin: 0; inset: auto; max-width: min(580px, calc(100vw - 16px)); box-sizing: border-box; padding: 8px 12px;
  border: 1px solid light-dark(#7d838a, #757d85); border-radius: 6px; background: light-dark(#fff, #181b1e); color: light-dark(#1b1e21, #eceef0);
  font: 13px/1.4 system-ui, sans-serif; box-shadow: 0 1px 2px rgb(0 0 0 / .06), 0 8px 24px rgb(0 0 0 / .14); color-scheme: light dark;
}
section:not(:popover-open) { display: none; }
section[role="alert"] { border-inline-start: 4px solid light-dark(#92460a, #f0a15e); }
p { margin: 0 0 6px; overflow-wrap: anywhere; }
div { display: flex; flex-wrap: wrap; gap: 6px; }
button {
  font: inherit; min-height: 26px; padding: 3px 8px; border: 1px solid light-dark(#7d838a, #757d85); border-radius: 3px;
  background: none; color: inherit; cursor: pointer; overflow-wrap: anywhere;
}
button:hover { background: light-dark(#f0f0ed, #202428); }
button:focus-visible { outline: 2px solid light-dark(#805c08, #e0b65f); outline-offset: 1px; }
`;
/** Milliseconds; a hint that asks for a choice stays. */
const SHOWN = 12_000;
/** Milliseconds that it has to be seen before it can be pressed: a page may show it under a pointer that is about to click. */
const SEEN = 300;
/** Milliseconds from a pointer that goes up to its click. */
const CLICK = 50;

export class Hint {
  constructor() {
    this.host = document.createElement("steelyard-hint");
    this.section = document.createElement("section");
    this.timer = 0;
    this.since = 0;
    /** Shown when the pointer is up again: nothing appears under it. @type {(() => void) | undefined} */
    this.later = undefined;
    this.pressed = false;
    const shadow = this.host.attachShadow({ mode: "closed" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.section);
    this.section.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    for (const type of ["keydown", "keyup", "keypress", "mousedown", "pointerdown"]) this.host.addEventListener(type, (event) => event.stopPropagation());
  }

  /**
   * @param {Element} editor
   * @param {string} text
   * @param {Way[]} ways
   * @param {boolean} asks   stays until something is chosen, and is told at once
   */
  show(editor, text, ways, asks) {
    this.later = this.pressed ? () => this.show(editor, text, ways, asks) : undefined;
    if (this.later) return;
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    const buttons = document.createElement("div");
    buttons.append(...ways.map((way) => this.button(way)));
    this.section.setAttribute("role", asks ? "alert" : "status");
    this.section.replaceChildren(paragraph, buttons);
    this.editor = editor;
    const around = editor.closest("dialog:modal") ?? document.documentElement; // what is beside a modal dialog cannot be pressed
    if (this.host.parentNode !== around) around.append(this.host);
    this.section.popover = "manual";
    this.section.showPopover();
    this.since = performance.now();
    this.place(editor.getBoundingClientRect());
    clearTimeout(this.timer);
    if (!asks) this.timer = window.setTimeout(() => this.section.matches(":hover, :focus-within") || this.close(), SHOWN);
  }

  /** For who has no pointer: to its first button. */
  enter() {
    this.section.querySelector("button")?.focus();
  }

  /** @param {boolean} down */
  press(down) {
    if (down) this.pressed = true;
    else setTimeout(() => {
      this.pressed = false;
      this.later?.();
    }, CLICK);
  }

  /** @param {Way} way */
  button({ label, act }) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", (event) => {
      if (!event.isTrusted || performance.now() - this.since < SEEN) return; // the page cannot choose for the user
      this.close();
      act();
    });
    return button;
  }

  /**
   * Above the editor, else at the window's foot: what sends is mostly below it.
   * @param {DOMRect} around
   */
  place({ left, top }) {
    const { width, height } = this.section.getBoundingClientRect();
    const above = top - height - 6;
    this.section.style.top = `${above >= 8 ? above : innerHeight - height - 8}px`;
    this.section.style.left = `${Math.min(Math.max(8, left), innerWidth - width - 8)}px`;
  }

  close() {
    clearTimeout(this.timer);
    const within = this.host === document.activeElement;
    this.host.remove();
    if (within && this.editor instanceof HTMLElement) this.editor.focus({ preventScroll: true });
  }
}
