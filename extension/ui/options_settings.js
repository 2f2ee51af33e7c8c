// @ts-check
/** What one sets in the options: trusted domains and editors; and what all sections share. */
import { patternOf } from "../lib/link.js";
import { domainOf, editorOf } from "../lib/settings.js";
import { changeEditors, changeTrusted, choose, settings } from "../store/settings.js";
import { draw, el, live, say } from "./parts.js";

/** @typedef {import("../lib/settings.js").Level} Level */
/** @typedef {import("../lib/settings.js").Why} Why */
/** @typedef {import("../store/settings.js").Kept} Kept */

/** How a level is named, and how its tag looks. @type {Record<Level, [string, string]>} */
const LEVELS = { managed: ["options_managed", "warn"], sync: ["options_mine", ""], team: ["options_team", ""], "built in": ["options_built_in", ""] };

/** @param {string} id @returns {any}   what the page has by that name */
export function part(id) {
  return document.getElementById(id);
}

/** Where a value comes from. @param {Level} from */
export function level(from) {
  const [key, look] = LEVELS[from];
  return el("span", { class: `tag ${look}` }, say(key));
}

/**
 * Says what is wrong where it was typed, or that nothing is.
 * @param {HTMLElement} place
 * @param {HTMLElement | undefined} field
 * @param {string[]} sentences
 */
export function wrong(place, field, sentences) {
  place.replaceChildren(...sentences.map((each) => el("p", { class: "error" }, each)));
  for (const each of place.closest("form, section")?.querySelectorAll("[aria-invalid]") ?? []) each.removeAttribute("aria-invalid");
  if (!sentences.length) return;
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
  live(sentences.join(" "));
}

/** @param {Why} why @param {string} [what] */
export function because(why, what = "") {
  return say(`options_why_${why}`, [what]);
}

/**
 * Says what was done, and takes it back on a press. Without a way back it only says so.
 * @param {string} text
 * @param {() => Promise<any>} [undo]   gives back false, or what was not `Kept`, where it was not done
 */
export function did(text, undo) {
  part("toast").querySelector("p").textContent = text;
  part("undo").hidden = !undo;
  part("toast").hidden = false;
  live(text);
  part("undo").onclick = async () => {
    part("toast").hidden = true;
    const undone = await undo?.();
    if (undone?.ok === false) did(because(undone.why));
    else if (undone === false) did(say("options_every_not"));
    else live(say("options_undone"));
  };
  part("close").onclick = () => (part("toast").hidden = true);
  if (undo) part("undo").focus();
}

/**
 * Keeps something, and says what was done or why it was not.
 * @param {Promise<Kept>} keeping
 * @param {string} text
 * @param {() => Promise<unknown>} [undo]
 */
export async function keeping(keeping, text, undo) {
  const kept = await keeping;
  did(kept.ok ? text : because(kept.why), kept.ok ? undo : undefined);
  return kept.ok;
}

// ---- the domains whose links stay clickable, and whether internal notes are looked at

/** @typedef {import("../lib/settings.js").Settings} Settings */
/** @typedef {Settings["trusted"][number]} Trusted */

/** More than these of one level are folded. */
const SHOWN = 12;
/** @type {Settings | undefined} */
let known;

/** Hears the form. */
export function beginTrusted() {
  part("trust").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void addTrusted();
  });
}

/** @param {Settings} settings */
export function drawTrusted(settings) {
  known = settings;
  const levels = /** @type {const} */ (["sync", "team", "managed"]);
  const groups = levels.map((from) => group(settings.trusted.filter((each) => each.from === from), from)).filter((each) => each);
  draw(part("domains"), groups.length ? groups : el("div", { class: "empty" }, el("p", {}, say("options_trusted_none"))));
  const { value, from } = settings.notes;
  const box = el("input", { type: "checkbox", "data-key": "notes", checked: value, disabled: from === "managed", onchange: (event) => chooseNotes(event.target.checked) });
  draw(part("notes-too"), el("label", { class: "check" }, box, el("span", {}, say("options_notes_too"), " ", from === "managed" && level(from), el("small", { class: "quiet block" }, say("options_notes_too_help")))));
}

/** @param {Trusted[]} all @param {"sync" | "team" | "managed"} from */
function group(all, from) {
  if (!all.length) return null;
  const rows = el("ul", { class: "rows" }, all.map(trustedRow));
  const title = say(`options_trusted_${from}`, [all.length]);
  if (from === "sync" || all.length <= SHOWN) return el("section", {}, el("h3", {}, title), rows);
  return el("details", { "data-key": from }, el("summary", {}, title), rows);
}

/** @param {Trusted} each */
function trustedRow({ domain, from }) {
  const name = domain.replace(/^=/u, "");
  const remove = el("button", { type: "button", class: "small", "aria-label": say("options_remove_name", [name]), onclick: () => distrust(domain) }, say("options_remove"));
  const reach = domain.startsWith("=") ? say("options_alone") : say("options_below", [name]);
  return el("li", {}, el("span", { class: "grow" }, el("b", {}, name), " ", el("small", {}, reach)), from === "sync" ? remove : level(from));
}

/** All that was typed, if each can be trusted; else nothing, and why. */
async function addTrusted() {
  const field = part("domain");
  const typed = field.value.split(/[\s,;]+/u).filter(Boolean);
  const found = typed.map((/** @type {string} */ each) => ({ each, ...domainOf(addressed(each)) }));
  const bad = found.filter((/** @type {any} */ one) => one.why).map((/** @type {any} */ { each, why }) => because(why, each));
  const mine = (known?.trusted ?? []).filter(({ from }) => from === "sync").map(({ domain }) => domain);
  /** @type {string[]} */
  const fresh = [...new Set(found.map((/** @type {any} */ { domain }) => domain))].filter((each) => each && !mine.includes(each));
  if (!typed.length) return wrong(part("domain-wrong"), field, [say("options_domain_missing")]);
  if (bad.length) return wrong(part("domain-wrong"), field, bad);
  if (!fresh.length) return wrong(part("domain-wrong"), field, [say("options_domain_there", [typed.join(", ")])]);
  wrong(part("domain-wrong"), field, []);
  const away = () => changeTrusted((all) => all.filter((each) => !fresh.includes(each)));
  if (!(await keeping(changeTrusted((all) => [...new Set([...all, ...fresh])]), say("options_trusted_now", [named(fresh)]), away))) return;
  field.value = "";
  field.focus();
}

/** The host of a whole address, since one copies these. @param {string} text */
function addressed(text) {
  return /^https?:\/\//iu.test(text) && URL.canParse(text) ? new URL(text).hostname : text;
}

/** @param {string} domain */
function distrust(domain) {
  const back = () => changeTrusted((all) => [...new Set([...all, domain])]);
  void keeping(changeTrusted((all) => all.filter((each) => each !== domain)), say("options_distrusted", [named([domain])]), back);
}

/** @param {boolean} value */
function chooseNotes(value) {
  void keeping(choose("notes", value), say(value ? "options_notes_on" : "options_notes_off"), () => choose("notes", !value));
}

/** @param {string[]} domains */
function named(domains) {
  return domains.map((each) => each.replace(/^=/u, "")).join(", ");
}

// ---- editors on other sites than Intercom's: what they are known by, and whether the browser lets the companion in

/** @typedef {import("../lib/settings.js").Editor} Editor */

const FIELDS = { origin: "origin", editor: "editor-field", note: "note", send: "send", words: "words" };

/** Hears the form. */
export function beginEditors() {
  part("editor").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void addEditor();
  });
}

/** @param {Settings} settings */
export async function drawEditors({ editors }) {
  const may = await Promise.all(editors.map(({ origin }) => chrome.permissions.contains({ origins: [patternOf(origin)] })));
  draw(part("places"), editors.length ? el("ul", { class: "rows" }, editors.map((each, at) => editorRow(each, may[at]))) : null);
}

/** @param {Settings["editors"][number]} editor @param {boolean} may */
function editorRow(editor, may) {
  const { origin, from } = editor;
  const allow = el("button", { type: "button", class: "small primary", "data-key": `allow ${origin}`, onclick: () => ask(origin) }, say("options_allow", [new URL(origin).host]));
  const change = el("button", { type: "button", class: "small", "data-key": `change ${origin}`, "aria-label": say("options_editor_change_name", [origin]), onclick: () => fillIn(editor) }, say("options_editor_change"));
  const remove = el("button", { type: "button", class: "small", "aria-label": say("options_remove_name", [origin]), onclick: () => away(editor) }, say("options_remove"));
  const state = may ? el("span", { class: "tag good" }, `✓ ${say("options_editor_watched")}`) : el("span", { class: "tag warn" }, `! ${say("options_editor_not_allowed")}`);
  return el("li", {},
    el("span", { class: "grow" }, el("b", {}, origin), el("small", {}, editor.editor || say("options_editor_any"))),
    state, !may && allow, from === "sync" ? [change, remove] : level(from));
}

/** @param {Editor} editor   to be changed */
function fillIn(editor) {
  part("edit").open = true;
  for (const [name, id] of Object.entries(FIELDS)) {
    const value = editor[/** @type {keyof Editor} */ (name)];
    part(id).value = Array.isArray(value) ? value.join(", ") : value;
  }
  part("editor-field").focus();
}

/** Asks the browser at once, while the press still counts, and keeps the editor whatever it answers: the editorRow says what is missing. */
async function addEditor() {
  const typed = Object.fromEntries(Object.entries(FIELDS).map(([name, id]) => [name, part(id).value.trim()]));
  const found = editorOf({ ...typed, words: typed.words.split(",").map((/** @type {string} */ each) => each.trim()).filter(Boolean) });
  if ("why" in found) return wrong(part("editor-wrong"), part(FIELDS[/** @type {keyof typeof FIELDS} */ (found.field)]), [because(found.why, String(found.what ?? ""))]);
  const { editor } = found;
  const given = await ask(editor.origin);
  wrong(part("editor-wrong"), undefined, []);
  /** @type {Editor[]} */
  let before = [];
  const put = changeEditors((all) => {
    before = all;
    return [...all.filter((each) => each.origin !== editor.origin), editor];
  });
  if (!(await keeping(put, say(given ? "options_editor_kept" : "options_editor_kept_only", [editor.origin]), () => changeEditors(() => before)))) return;
  part("editor").reset();
  part("edit").open = false;
}

/** @param {string} origin */
async function ask(origin) {
  const given = await chrome.permissions.request({ origins: [patternOf(origin)] }).catch(() => false);
  if (given) did(say("options_editor_reload", [origin]));
  return given;
}

/** Its permission is given back as well, unless something else that was set needs it. @param {Editor} editor */
async function away({ origin }) {
  const origins = [patternOf(origin)];
  /** @type {Editor[]} */
  let before = [];
  const put = changeEditors((all) => {
    before = all;
    return all.filter((each) => each.origin !== origin);
  });
  let gone = false;
  const back = async () => {
    if (gone) await chrome.permissions.request({ origins }).catch(() => false);
    return changeEditors(() => before);
  };
  if (!(await keeping(put, say("options_editor_removed", [origin]), back))) return;
  const { editors, server } = await settings();
  const needed = [...editors.map((each) => each.origin), server.value].some((each) => each && patternOf(each) === origins[0]);
  gone = !needed && (await chrome.permissions.remove({ origins }).catch(() => false));
}
