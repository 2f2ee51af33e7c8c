// @ts-check
/**
 * What counts of all that was set: by the company, by who uses this browser, by the team, and built in. Whatever is kept may
 * come from another version, from a policy typed by hand, or from somebody hostile: what cannot be used is left out and told. Pure.
 */
import { trusting } from "./trust.js";

/** Where a value comes from, the strongest first. @typedef {"managed" | "sync" | "team" | "built in"} Level */
/**
 * Editors on a page of one origin. An empty text or list stands for what is built in.
 * @typedef {object} Editor
 * @property {string} origin
 * @property {string} editor    what the editor is known by, a selector
 * @property {string} note      an editor of internal notes, a selector
 * @property {string} send      what may send, a selector
 * @property {string[]} words   what it says then, at its beginning
 */
/** What is left out: `what` is the piece, `why` is known to `options_why_*`. @typedef {{from: Level, name: string, what: string, why: Why}} Wrong */
/** @typedef {"shape" | "text" | "domain" | "suffix" | "address" | "scheme" | "selector" | "words" | "many" | "json" | "unknown" | "full"} Why */
/**
 * @typedef {object} Settings
 * @property {{value: string, from: Level}} server      an origin; empty where none is set
 * @property {{value: boolean, from: Level}} notes      whether internal notes are looked at as well
 * @property {{domain: string, from: Level}[]} trusted  as they are compared; a domain once for each level that has it
 * @property {(Editor & {from: Level})[]} editors       one for each origin
 * @property {Wrong[]} refused
 */
/** @typedef {{from: Level, values: unknown}} Place */
/** @typedef {(name: string, what: unknown, why: Why) => void} Refuse */

export const MOST = { trusted: 2000, editors: 50, selector: 300, words: 20, word: 40, origin: 300 };
const NAMES = ["server", "trusted", "editors", "notes", "rules"];
const FIELDS = ["origin", "editor", "note", "send", "words"];
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

/**
 * The settings of all places. Domains and editors of all count; of single values, and of editors of one origin, the strongest.
 * @param {Place[]} places   the strongest first
 * @returns {Settings}
 */
export function joined(places) {
  /** @type {Settings} */
  const all = { server: { value: "", from: "built in" }, notes: { value: true, from: "built in" }, trusted: [], editors: [], refused: [] };
  for (const { from, values } of [...places].reverse()) {
    /** @type {Wrong[]} */
    const wrong = [];
    /** @type {Refuse} */
    const refuse = (name, what, why) => void wrong.push({ from, name, what: shown(what), why });
    const known = isObject(values) ? values : {};
    if (!isObject(values) && values !== undefined) refuse("", values, "shape");
    const { server, notes } = single(known, refuse);
    if (server !== undefined) all.server = { value: server, from };
    if (notes !== undefined) all.notes = { value: notes, from };
    all.trusted.unshift(...domainsOf(known.trusted, refuse).map((domain) => ({ domain, from })));
    const editors = editorsOf(known.editors, refuse);
    const others = all.editors.filter((one) => !editors.some((each) => each.origin === one.origin));
    all.editors = [...editors.map((each) => ({ ...each, from })), ...others];
    all.refused.unshift(...wrong);
  }
  return all;
}

/**
 * @param {Record<string, unknown>} known
 * @param {Refuse} refuse
 * @returns {{server?: string, notes?: boolean}}
 */
function single(known, refuse) {
  /** @type {{server?: string, notes?: boolean}} */
  const found = {};
  if (typeof known.notes === "boolean") found.notes = known.notes;
  else if (known.notes !== undefined) refuse("notes", known.notes, "shape");
  if (known.server === undefined || known.server === "") return found;
  const origin = serverOf(known.server);
  if ("why" in origin) refuse("server", known.server, origin.why);
  else found.server = origin.origin;
  return found;
}

/**
 * The origin of a server that a token may be sent to.
 * @param {unknown} written
 * @returns {{origin: string} | {why: Why}}
 */
export function serverOf(written) {
  const found = originOf(written);
  if ("why" in found) return found;
  const { protocol, hostname } = new URL(found.origin);
  return protocol === "https:" || LOOPBACK.includes(hostname) ? found : { why: "scheme" };
}

/**
 * The origin of an address, as a person writes one; `https` where they leave it out.
 * @param {unknown} written
 * @returns {{origin: string} | {why: Why}}
 */
export function originOf(written) {
  if (typeof written !== "string" || written.length > MOST.origin) return { why: "text" };
  try {
    const text = written.trim();
    const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//iu.test(text) ? text : `https://${text}`);
    if (url.protocol !== "https:" && url.protocol !== "http:") return { why: "address" };
    return url.username || url.password || !url.hostname || url.hostname.includes("*") ? { why: "address" } : { origin: url.origin };
  } catch {
    return { why: "address" };
  }
}

/**
 * A domain as it is compared: `example.com` with all below it, `=example.com` alone.
 * @param {unknown} written   `*.example.com` is the same as `example.com`
 * @returns {{domain: string} | {why: Why}}
 */
export function domainOf(written) {
  if (typeof written !== "string" || written.length > MOST.origin) return { why: "text" };
  try {
    return { domain: [...trusting([written])][0] };
  } catch {
    return { why: isSuffix(written) ? "suffix" : "domain" };
  }
}

/** Whether it would be a domain with something before it: `com`. @param {string} written */
function isSuffix(written) {
  const name = written.trim().replace(/^=?(?:\*\.)?/u, "");
  try {
    return name !== "" && trusting([`x.${name}`]).size === 1;
  } catch {
    return false;
  }
}

/**
 * @param {unknown} written
 * @param {Refuse} refuse
 */
function domainsOf(written, refuse) {
  /** @type {Set<string>} */
  const domains = new Set();
  for (const each of listOf("trusted", written, MOST.trusted, refuse)) {
    const found = domainOf(each);
    if ("why" in found) refuse("trusted", each, found.why);
    else domains.add(found.domain);
  }
  return [...domains];
}

/**
 * @param {unknown} written   a list, or one in JSON
 * @param {Refuse} refuse
 */
function editorsOf(written, refuse) {
  /** @type {Editor[]} */
  const editors = [];
  const list = typeof written === "string" ? inJson("editors", written, refuse) : written;
  for (const each of listOf("editors", list, MOST.editors, refuse)) {
    const found = editorOf(each);
    if ("why" in found) refuse("editors", found.what, found.why);
    else if (!editors.some((one) => one.origin === found.editor.origin)) editors.push(found.editor);
  }
  return editors;
}

/**
 * An editor as it is kept.
 * @param {unknown} written
 * @returns {{editor: Editor} | {field: string, what: unknown, why: Why}}
 */
export function editorOf(written) {
  if (!isObject(written)) return { field: "", what: written, why: "shape" };
  const unknown = Object.keys(written).find((each) => !FIELDS.includes(each));
  if (unknown !== undefined) return { field: unknown, what: unknown, why: "unknown" };
  const found = originOf(written.origin);
  if ("why" in found) return { field: "origin", what: written.origin, why: found.why };
  /** @type {Editor} */
  const editor = { origin: found.origin, editor: "", note: "", send: "", words: [] };
  for (const field of /** @type {const} */ (["editor", "note", "send"])) {
    const selector = written[field] ?? "";
    if (typeof selector !== "string" || selector.length > MOST.selector) return { field, what: selector, why: "text" };
    if (selector.trim() && !isSelector(selector)) return { field, what: selector, why: "selector" };
    editor[field] = selector.trim();
  }
  const words = wordsOf(written.words ?? []);
  return words ? { editor: { ...editor, words } } : { field: "words", what: written.words, why: "words" };
}

/** @param {unknown} written @returns {string[] | undefined} */
function wordsOf(written) {
  if (!Array.isArray(written) || written.length > MOST.words) return undefined;
  const fit = written.every((each) => typeof each === "string" && each.trim() !== "" && each.length <= MOST.word && !UNSEEN.test(each));
  return fit ? [...new Set(written.map((each) => each.trim()))] : undefined;
}

/**
 * What the composer knows editors by.
 * @param {Editor} editor
 * @param {import("../composer/editors.js").Kind} built   what counts where nothing is said
 * @returns {import("../composer/editors.js").Kind}
 */
export function kindOf({ origin, editor, note, send, words }, built) {
  const says = words.map((each) => each.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&")).join("|");
  return {
    hosts: [new URL(origin).hostname],
    editor: editor || built.editor,
    other: editor ? "" : built.other,
    note: note || (editor ? "" : built.note),
    send: send || built.send,
    says: says ? `^(?:${says})` : built.says,
  };
}

/**
 * @param {string} name
 * @param {unknown} written
 * @param {number} most
 * @param {Refuse} refuse
 * @returns {unknown[]}
 */
function listOf(name, written, most, refuse) {
  if (written === undefined) return [];
  if (!Array.isArray(written)) return refuse(name, written, "shape"), [];
  if (written.length > most) refuse(name, `${written.length}`, "many");
  return written.slice(0, most);
}

/**
 * What a text of JSON holds; undefined where it is none.
 * @param {string} name
 * @param {string} text
 * @param {Refuse} refuse
 */
export function inJson(name, text, refuse) {
  try {
    return text.trim() ? JSON.parse(text) : undefined;
  } catch {
    return void refuse(name, text, "json");
  }
}

/**
 * What a file of settings says, for a person to take over as their own.
 * @param {string} text
 * @returns {{own: Record<string, unknown>, settings: Settings} | {why: Why}}
 */
export function imported(text) {
  /** @type {{why?: Why}} */
  const failed = {};
  const values = inJson("", text, (_name, _what, why) => void (failed.why = why));
  if (failed.why || !isObject(values)) return { why: failed.why ?? "shape" };
  const settings = joined([{ from: "sync", values }]);
  for (const each of Object.keys(values)) if (!NAMES.includes(each) || each === "rules") settings.refused.push({ from: "sync", name: "", what: shown(each), why: "unknown" });
  return { own: exported(settings), settings };
}

/**
 * Of all settings only what was chosen here, in the shape in which it is kept.
 * @param {Settings} settings
 * @returns {Record<string, unknown>}
 */
export function exported({ server, notes, trusted, editors }) {
  /** @type {Record<string, unknown>} */
  const own = {};
  const mine = trusted.filter((each) => each.from === "sync").map((each) => each.domain);
  const places = editors.filter((each) => each.from === "sync").map(({ from, ...each }) => each);
  if (server.from === "sync") own.server = server.value;
  if (notes.from === "sync") own.notes = notes.value;
  if (mine.length) own.trusted = mine;
  if (places.length) own.editors = places;
  return own;
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A piece as it is shown where it is left out: on one line, and not for ever. @param {unknown} what */
function shown(what) {
  const text = typeof what === "string" ? what : (JSON.stringify(what) ?? "");
  return [...text].slice(0, 80).join("").replace(/[^ -~\u00a1-\uffff]+|[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu, "\ufffd");
}

// ---- which selectors any browser takes: of names, classes, ids and attributes, `:not()`, `:is()` and `:where()`, and what combines
// them; one that the browser refuses would stop the composer in the middle of a key

const GAP = "[ \\t\\n\\r\\f]*";
const NAME = "-?[a-zA-Z_][\\w-]*";
const VALUE = `"[^"\\\\\\n\\r\\f]*"|'[^'\\\\\\n\\r\\f]*'|${NAME}`;
const SIMPLE = new RegExp(
  `(?:[#.]${NAME}|\\[${GAP}${NAME}${GAP}(?:[~|^$*]?=${GAP}(?:${VALUE})${GAP}(?:(?<=[ \\t\\n\\r\\f])[iI]${GAP})?)?\\]|:(?:first-child|last-child|only-child|empty|enabled|disabled|checked|required|read-only|read-write|root)(?![\\w(-]))`,
  "y",
);
const KIND = new RegExp(`\\*|${NAME}`, "y");
const WITHIN = /:(?:not|is|where)\(/y;
const COMBINED = /[ \t\n\r\f]*[>+~][ \t\n\r\f]*|[ \t\n\r\f]+(?![ \t\n\r\f,)])(?=[^])/y;
const SPACE = new RegExp(GAP, "y");
/** As the browser strips it: fewer signs than `trim` knows. */
const AROUND = /^[ \t\n\r\f]+|[ \t\n\r\f]+$/g;
const DEEPEST = 4;

/** @param {string} text */
export function isSelector(text) {
  const bare = text.replace(AROUND, "");
  return list(bare, 0, 0) === bare.length;
}

/**
 * Where a list of selectors ends; -1 where there is none.
 * @param {string} text
 * @param {number} at
 * @param {number} depth
 */
function list(text, at, depth) {
  if (depth > DEEPEST) return -1;
  for (;;) {
    at = complex(text, past(SPACE, text, at), depth);
    if (at < 0) return -1;
    const comma = past(SPACE, text, at);
    if (text[comma] !== ",") return depth ? comma : at;
    at = comma + 1;
  }
}

/**
 * @param {string} text
 * @param {number} at
 * @param {number} depth
 */
function complex(text, at, depth) {
  for (;;) {
    at = compound(text, at, depth);
    if (at < 0) return -1;
    const next = past(COMBINED, text, at);
    if (next === at) return at;
    at = next;
  }
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} depth
 */
function compound(text, start, depth) {
  let at = past(KIND, text, start);
  for (;;) {
    const inner = past(WITHIN, text, at);
    const end = inner > at ? list(text, inner, depth + 1) : past(SIMPLE, text, at);
    if (end < 0 || (inner > at && text[end] !== ")")) return -1;
    if (end === at) return at > start ? at : -1;
    at = inner > at ? end + 1 : end;
  }
}

/**
 * Where what matches there ends; the same place where nothing does.
 * @param {RegExp} pattern   sticky
 * @param {string} text
 * @param {number} at
 */
function past(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
