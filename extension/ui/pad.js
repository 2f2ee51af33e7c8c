// @ts-check
/**
 * The field that a note is written in. Each change is sent to be kept before anything is waited for; what others write in the
 * same note comes in while one writes, around one's own caret.
 */
import { edit, MOST, shifted, Writing } from "../lib/notes.js";
import { placeOf, type, typedIsIn, watchNote, write } from "../store/notes.js";
import { el, say } from "./parts.js";

/** @typedef {import("../lib/notes.js").Note} Note */
/** What the field says: that it changed; what could not be put in; that nothing more can be kept. @typedef {{changed: () => void, refused: (more: number) => void, full: (is: boolean) => void}} Tells */

/** How long until what could not be kept is tried again, in milliseconds. */
const AGAIN = 2000;

export class Pad {
  #isFolding = false;
  #again = false;
  #isEnded = false;
  #leaves = false;
  #isComposing = false;
  #unwatch = () => {};
  /** @type {Note | undefined} */
  #late;
  /** @type {import("../lib/notes.js").Typed | undefined} */
  #unkept;

  /**
   * @param {chrome.tabs.Tab} tab
   * @param {string} view           `claimView`
   * @param {Note | undefined} note
   * @param {Tells} tells
   */
  constructor(tab, view, note, tells) {
    this.tab = tab;
    this.note = note;
    this.tells = tells;
    this.writing = new Writing(view, note);
    this.field = el("textarea", { id: "note", rows: 8, "data-key": "note", "aria-describedby": "note-hint", placeholder: say("notes_placeholder"), autocomplete: "off" });
    this.field.value = this.writing.text;
    this.#style();
    this.field.addEventListener("beforeinput", (event) => this.#refuse(event));
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("blur", () => (this.#leaves = false));
    this.field.addEventListener("compositionstart", () => (this.#isComposing = true));
    this.field.addEventListener("compositionend", () => this.#composed());
    this.#unwatch = watchNote(Number(tab.id), (each) => this.told(each));
  }

  /** Ends it: what was typed is kept, and is folded by who looks next, or closes the tab. */
  end() {
    this.#isEnded = true;
    this.#unwatch();
  }

  /** What is selected, else all. */
  get chosen() {
    const { selectionStart, selectionEnd, value } = this.field;
    return value.slice(selectionStart, selectionEnd) || value;
  }

  /** As if it were typed over everything. @param {string} text */
  replace(text) {
    this.field.value = text;
    this.#typed();
  }

  /** @param {Note} note   which somebody changed, perhaps oneself */
  told(note) {
    if (this.#isEnded) return;
    if (this.#isComposing) return void (this.#late = note);
    this.note = note;
    const typed = this.writing.told(note);
    if (typed) this.#keep(typed);
    else if (this.writing.isSettled) void typedIsIn(Number(this.tab.id), this.writing.view);
    this.#show(this.writing.text);
    this.#style();
    this.tells.changed();
  }

  /** What others wrote while letters were being composed comes in afterwards. */
  #composed() {
    this.#isComposing = false;
    const late = this.#late;
    this.#late = undefined;
    if (late) this.told(late);
  }

  #typed() {
    this.#keep(this.writing.type(this.field.value));
    this.tells.changed();
  }

  /** @param {import("../lib/notes.js").Typed} typed */
  #keep(typed) {
    this.#unkept = typed;
    type(Number(this.tab.id), this.writing.view, { ...typed, secret: this.tab.incognito }).then(
      () => this.#kept(typed),
      () => this.#failed(),
    );
  }

  /** @param {import("../lib/notes.js").Typed} typed */
  #kept(typed) {
    if (this.#unkept !== typed) return;
    this.#unkept = undefined;
    this.tells.full(false);
    void this.#fold();
  }

  #failed() {
    this.tells.full(true);
    setTimeout(() => this.#unkept && !this.#isEnded && this.#keep(this.#unkept), AGAIN);
  }

  /** One fold at a time; what is typed meanwhile has the next. */
  async #fold() {
    this.#again = true;
    if (this.#isFolding) return;
    this.#isFolding = true;
    while (this.#again) {
      this.#again = false;
      const place = this.note ?? (await placeOf(this.tab));
      await write(Number(this.tab.id), { address: place.address, secret: place.secret }).catch(() => this.tells.full(true));
    }
    this.#isFolding = false;
  }

  /** @param {string} text */
  #show(text) {
    const { field } = this;
    if (field.value === text) return;
    const { selectionStart, selectionEnd, selectionDirection, scrollTop, value } = field;
    const change = edit(value, text);
    field.value = text;
    field.setSelectionRange(shifted(selectionStart, change), shifted(selectionEnd, change), selectionDirection);
    field.scrollTop = scrollTop;
  }

  #style() {
    const mono = this.note?.mono ?? false;
    this.field.classList.toggle("mono", mono);
    this.field.spellcheck = !mono;
  }

  /** What would be too long is not put in at all: it stays where it came from. @param {InputEvent} event */
  #refuse(event) {
    const put = event.data ?? event.dataTransfer?.getData("text/plain") ?? (event.inputType === "insertLineBreak" ? "\n" : "");
    const { selectionStart, selectionEnd, value } = this.field;
    const more = value.length - (selectionEnd - selectionStart) + put.length - MOST;
    if (!put || more <= 0 || event.isComposing) return;
    event.preventDefault();
    this.tells.refused(more);
  }

  /** In code, Tab is a tab: unless Escape was pressed before. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") this.#leaves = true;
    else if (event.key === "Tab" && !this.#leaves && this.note?.mono && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      document.execCommand("insertText", false, "\t");
    } else if (!["Tab", "Shift"].includes(event.key)) this.#leaves = false;
  }
}
