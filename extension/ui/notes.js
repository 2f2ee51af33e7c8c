// @ts-check
/** The notes of a tab: a field, what one does with what is in it, and whether it is kept across a restart. */
import { MOST } from "../lib/notes.js";
import { act, claimView, forget, fullness, keep, keeping, noteIn, placeOf, style, typedIsIn, unlock, watchOffers, write } from "../store/notes.js";
import { into } from "./inbox.js";
import { Pad } from "./pad.js";
import { copyButton, el, live, say } from "./parts.js";

/** From how many characters on it is said how many there is room for; and from which share of what all tabs have. */
const NEARLY = 0.9;
const FILLING = 0.8;

/** This page's place to type in. @type {Promise<string> | undefined} */
let view;

/**
 * @param {HTMLElement} container
 * @param {chrome.tabs.Tab} tab
 * @returns {() => void}   ends it
 */
export function drawNotes(container, tab) {
  /** @type {(() => void)[]} */
  const ends = [];
  let ended = false;
  void begin();
  return () => {
    ended = true;
    for (const end of ends) end();
  };

  async function begin() {
    view ??= claimView();
    const mine = await view;
    const back = await comeBack(tab);
    await settle(tab, mine);
    const note = await noteIn(Number(tab.id));
    if (ended) return;
    const sheet = sheetOf(tab, mine, note);
    if (back) sheet.tell(say("notes_came_back"));
    const keep = el("div", { class: "keep" });
    container.replaceChildren(...sheet.parts, keep);
    ends.push(() => sheet.pad.end(), drawKeeping(keep, sheet.tell, () => void comeBack(tab).then((is) => is && sheet.tell(say("notes_came_back")))));
  }
}

/** What was kept from before goes back to the tab that shows its address. @param {chrome.tabs.Tab} tab */
async function comeBack(tab) {
  const id = Number(tab.id);
  const was = await noteIn(id);
  await act({ kind: "returned", tab: id, at: Date.now(), ...(await placeOf(tab)) });
  return (await noteIn(id))?.id !== was?.id;
}

/** What somebody before typed in this place, and did not live to fold. @param {chrome.tabs.Tab} tab @param {string} mine */
async function settle(tab, mine) {
  await write(Number(tab.id), await placeOf(tab));
  await typedIsIn(Number(tab.id), mine);
}

/**
 * @param {chrome.tabs.Tab} tab
 * @param {string} mine
 * @param {import("../lib/notes.js").Note | undefined} note
 */
function sheetOf(tab, mine, note) {
  const count = el("small", { id: "count" });
  const said = el("p", { class: "notice", hidden: true });
  const nearly = el("p", { class: "notice warn", hidden: true });
  const full = el("p", { class: "notice bad", role: "alert", hidden: true });
  const mono = el("input", { type: "checkbox", role: "switch", id: "mono", onchange: () => void switched() });
  const hint = el("p", { class: "quiet", id: "note-hint" });
  const pad = new Pad(tab, mine, note, { changed, refused, full: (is) => (is ? told(full, say("notes_full"), undefined, "bad") : (full.hidden = true)) });
  const [reply, inNote, clear] = [["notes_reply", () => void insert(false)], ["notes_note", () => void insert(true)], ["notes_clear", cleared]].map(([key, press]) =>
    el("button", { type: "button", class: "small", onclick: /** @type {() => void} */ (press) }, say(/** @type {string} */ (key))));
  const copy = copyButton(say("notes_copy"), () => pad.chosen);
  pad.field.addEventListener("select", changed);
  pad.field.addEventListener("blur", changed);
  changed();
  const parts = [
    el("div", { class: "named" }, el("label", { for: "note" }, say("notes_label")), count, el("label", { class: "check", for: "mono" }, mono, say("notes_mono"))),
    pad.field, hint, full, nearly, said,
    el("div", { class: "actions" }, reply, inNote, copy, clear)];
  return { parts, pad, tell };

  /** @param {string} text @param {Node} [more] */
  function tell(text, more) {
    told(said, text, more);
    live(text);
  }

  function changed() {
    const { value, selectionStart, selectionEnd } = pad.field;
    mono.checked = pad.note?.mono ?? false;
    hint.textContent = say(mono.checked ? "notes_mono_hint" : "notes_hint");
    count.textContent = counted(value.length);
    if (selectionEnd > selectionStart) count.textContent = say("notes_selected", [(selectionEnd - selectionStart).toLocaleString(say("ui_language")), count.textContent]);
    for (const each of [reply, inNote, copy, clear]) each.disabled = value === "";
    void room();
  }

  /** Said before it is reached, in a place of its own: what a press or a paste was told stays. */
  async function room() {
    const share = await fullness();
    const { length } = pad.field.value;
    const words = length > NEARLY * MOST ? say("notes_nearly", [(MOST - length).toLocaleString(say("ui_language"))]) : share > FILLING ? say("notes_filling", [Math.round(100 * share)]) : "";
    nearly.textContent = words;
    nearly.hidden = !words;
  }

  /** @param {number} more */
  function refused(more) {
    tell(say("notes_too_long", [more.toLocaleString(say("ui_language")), MOST.toLocaleString(say("ui_language"))]));
  }

  async function switched() {
    await style(Number(tab.id), await placeOf(tab), mono.checked);
  }

  /** @param {boolean} note */
  async function insert(note) {
    const done = await into(tab, pad.chosen, note);
    tell(say(done.say, done.values));
  }

  function cleared() {
    const was = pad.field.value;
    pad.replace("");
    const undo = el("button", { type: "button", class: "small", onclick: () => back(was) }, say("notes_undo"));
    tell(say("notes_cleared", [counted(was.length)]), undo);
    undo.focus();
  }

  /** What was written since stays, after it. @param {string} was */
  function back(was) {
    const since = pad.field.value;
    pad.replace(since ? `${was}\n${since}` : was);
    said.hidden = true;
    pad.field.focus();
  }
}

/** @param {HTMLElement} said @param {string} text @param {Node} [more] @param {string} [kind] */
function told(said, text, more, kind = "") {
  said.className = `notice ${kind}`;
  said.hidden = false;
  said.replaceChildren(text, ...(more ? [" ", more] : []));
}

/** @param {number} length */
function counted(length) {
  const language = say("ui_language");
  return say(`notes_count_${new Intl.PluralRules(language).select(length) === "one" ? "one" : "other"}`, [length.toLocaleString(language)]);
}

// ---- keeping notes across a restart: off, waiting for the passphrase, or on

/** Characters of a passphrase. */
const LEAST = 8;

/** @typedef {(text: string, more?: Node) => void} Tell */

/**
 * @param {HTMLElement} container
 * @param {Tell} tell
 * @param {() => void} opened   when notes that were kept are there again
 * @returns {() => void}   ends it
 */
export function drawKeeping(container, tell, opened) {
  let latest = 0;
  let shown = "";
  const again = async () => {
    const mine = (latest += 1);
    const state = await keeping();
    if (mine !== latest || state === shown) return;
    const focused = container.contains(document.activeElement);
    shown = state;
    container.replaceChildren({ off, locked: () => locked(tell, opened), damaged: () => damaged(tell), on: () => on(tell) }[state]());
    if (focused) /** @type {HTMLElement | null} */ (container.querySelector("summary, input, button"))?.focus();
  };
  const end = watchOffers(() => void again());
  void again();
  return () => {
    latest = -1;
    end();
  };
}

function off() {
  const [first, second] = ["notes_passphrase", "notes_again"].map((key) => passphrase(key, "new-password"));
  const wrong = el("p", { class: "error", id: "keep-wrong", role: "alert", hidden: true });
  const button = el("button", { class: "small" }, say("notes_keep_now"));
  const form = el("form", { class: "form", onsubmit: (/** @type {SubmitEvent} */ event) => void begin(event) },
    el("p", { class: "quiet" }, say("notes_keep_why")), first.field, second.field, wrong, el("div", { class: "actions" }, button));
  return el("details", { "data-key": "keep" }, el("summary", {}, say("notes_keep")), form);

  /** @param {SubmitEvent} event */
  async function begin(event) {
    event.preventDefault();
    const problem = first.input.value.length < LEAST ? "notes_short" : first.input.value !== second.input.value ? "notes_differ" : "";
    toldWrong(wrong, problem, problem === "notes_differ" ? second.input : first.input);
    if (problem) return;
    button.disabled = true;
    const kept = await keep(first.input.value).then(() => true, () => false);
    button.disabled = false;
    if (kept) live(say("notes_keeping"));
    else toldWrong(wrong, "options_why_full", first.input);
  }
}

/** @param {Tell} tell @param {() => void} opened */
function locked(tell, opened) {
  const { field, input } = passphrase("notes_passphrase", "current-password");
  const wrong = el("p", { class: "error", id: "keep-wrong", role: "alert", hidden: true });
  const button = el("button", { class: "primary" }, say("notes_unlock"));
  return el("form", { class: "held", "aria-labelledby": "locked", onsubmit: (/** @type {SubmitEvent} */ event) => void begin(event) },
    el("p", { id: "locked" }, el("strong", {}, say("notes_locked"))), field, wrong, el("div", { class: "actions" }, button, forgetting(tell)));

  /** @param {SubmitEvent} event */
  async function begin(event) {
    event.preventDefault();
    button.disabled = true;
    const right = await unlock(input.value).catch(() => undefined);
    button.disabled = false;
    toldWrong(wrong, right ? "" : right === false ? "notes_wrong" : "options_why_full", input);
    if (!right) return;
    live(say("notes_opened"));
    opened();
  }
}

/** @param {Tell} tell */
function damaged(tell) {
  return el("section", { class: "held" }, el("p", { class: "error" }, say("notes_damaged")), el("div", { class: "actions" }, forgetting(tell)));
}

/** @param {Tell} tell */
function on(tell) {
  return el("details", { "data-key": "keep" },
    el("summary", {}, say("notes_keeping")),
    el("div", { class: "form" }, el("p", { class: "quiet" }, say("notes_keep_why")), el("div", { class: "actions" }, forgetting(tell))));
}

/** @param {Tell} tell */
function forgetting(tell) {
  return el("button", { type: "button", class: "small plain", onclick: away }, say("notes_forget"));

  async function away() {
    const back = await forget();
    const undo = el("button", { type: "button", class: "small", onclick: () => void back().then(() => tell(say("options_undone"))) }, say("notes_undo"));
    tell(say("notes_forgotten"), undo);
    undo.focus();
  }
}

/** @param {string} key @param {string} kind */
function passphrase(key, kind) {
  const input = el("input", { type: "password", id: key, autocomplete: kind, "aria-describedby": "keep-wrong", required: true });
  return { input, field: el("div", { class: "field" }, el("label", { for: key }, say(key)), input) };
}

/** @param {HTMLElement} wrong @param {string} problem @param {HTMLInputElement} input */
function toldWrong(wrong, problem, input) {
  wrong.hidden = !problem;
  wrong.textContent = problem ? say(problem) : "";
  input.toggleAttribute("aria-invalid", false);
  if (!problem) return;
  input.setAttribute("aria-invalid", "true");
  input.select();
}
