// @ts-check
/** Finds in a text what a mail program, a browser or an editor may make a link of. Pure; the same as detect.py. */
import { TLDS } from "./tlds.js";

/**
 * A piece of a text that may become a link.
 * @typedef {object} Found
 * @property {number} start
 * @property {number} end
 * @property {string} scheme      in lower case; empty for a bare name
 * @property {number} authority   where user, host and port begin
 * @property {number} rest        where they end: a path, a query, or `end`
 */

/** Whose addresses have a host whatever stands between the colon and it. */
const SPECIAL = /(https?|ftp|wss?):/giu;
const OTHER = /(?<![a-z0-9+.\]-])(?![a-z0-9+-]*(?:hxxps?|fxp):)([a-z][a-z0-9+-]+):\/\/(?=[^\s/])/giu;
/** Two addresses in a row. */
const NEXT = /[,;|)\]}](?=(?:https?|ftp|wss?|hxxps?|fxp):)/iu;
export const DOTS = ".\u3002\uff0e\uff61\u2024";
const DOT = new RegExp(`[${DOTS}]`, "u");
const INNER = new RegExp(`[^${DOTS}:[][${DOTS}][^${DOTS}:\\]]`, "u");
/** White space, what encloses, and punctuation, but for what the parser of addresses reads as a dot or leaves out. */
const SEPARATOR =
  /[\u0000-\u0020"<>`\u007f-\u00a1\u00ab\u00b4\u00b6\u00bb\u00bf\u1680\u2000-\u200a\u2010-\u2023\u2025-\u2029\u202f-\u205f\u3000\u3001\u3003-\u3020\uff01-\uff0c\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff60\uff62-\uff65]/u;
const HOST = /[a-z0-9_\-.\u0080-\u{10ffff}]/iu;
/** Endings of files that are top-level domains too. */
const FILES = new Set(["md", "mov", "pub", "py", "rs", "sh", "zip"]);
/** Names of products that are hosts too. */
const NAMES = new Set(["ado.net", "asp.net", "draw.io", "ml.net", "socket.io", "vb.net"]);
/** Words that begin a sentence where somebody left out the space before it. */
const WORDS = new Set("am as at be by call do for go here how in is it link me my new next no now on one open page please re so to us you".split(" "));

/**
 * All of them, in order; none overlaps another.
 * @param {string} text
 * @returns {Found[]}
 */
export function find(text) {
  /** @type {Found[]} */
  const found = [];
  for (const [from, to] of runs(text)) {
    for (let at = from; at < to; ) {
      const next = first(text, at, to);
      if (!next) break;
      found.push(next);
      at = next.end;
    }
  }
  return found;
}

/**
 * The stretches without separators that can hold one.
 * @param {string} text
 * @returns {Generator<[number, number]>}
 */
function* runs(text) {
  for (let at = 0; at < text.length; ) {
    const from = at;
    let may = false;
    while (at < text.length && !SEPARATOR.test(text[at])) {
      may ||= text[at] === ":" || DOTS.includes(text[at]);
      at++;
    }
    if (may) yield [from, at];
    at++;
  }
}

/**
 * The first between two places of a run.
 * @param {string} text
 * @param {number} from
 * @param {number} to
 */
function first(text, from, to) {
  const full = withScheme(text, from, to);
  return bare(text, from, full ? full.start : to) ?? full;
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @returns {Found | undefined}
 */
function withScheme(text, from, to) {
  const run = text.slice(from, to);
  const other = run.matchAll(OTHER).next().value;
  for (const match of run.matchAll(SPECIAL)) {
    if (other && other.index < match.index) break;
    const found = special(text, from + match.index, from + match.index + match[0].length, to, match[1]);
    if (found) return found;
  }
  if (!other) return undefined;
  const start = from + other.index;
  const authority = start + other[0].length;
  return ending(text, start, authority, to, other[1]);
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} after
 * @param {number} to
 * @param {string} scheme
 */
function special(text, start, after, to, scheme) {
  let authority = after;
  while (authority < to && (text[authority] === "/" || text[authority] === "\\")) authority++;
  if (authority === to) return undefined;
  const found = ending(text, start, authority, to, scheme);
  const host = text.slice(authority, found.rest);
  const enough = authority - after >= 2 ? host !== "" : INNER.test(host) || host.includes("[");
  return enough ? found : undefined;
}

/**
 * Where one that begins ends: at the next one, else at the run's end without the punctuation of the sentence.
 * @param {string} text
 * @param {number} start
 * @param {number} authority
 * @param {number} to
 * @param {string} scheme
 * @returns {Found}
 */
function ending(text, start, authority, to, scheme) {
  const next = text.slice(authority, to).search(NEXT);
  const end = trimmed(text, authority, next < 0 ? to : authority + next);
  return { start, end, scheme: scheme.toLowerCase(), authority, rest: restOf(text, authority, end) };
}

/**
 * @param {string} text
 * @param {number} authority
 * @param {number} end
 */
function restOf(text, authority, end) {
  const at = text.slice(authority, end).search(/[/\\?#]/u);
  return at < 0 ? end : authority + at;
}

/**
 * The end without what closes a sentence or a bracket that opened before.
 * @param {string} text
 * @param {number} from
 * @param {number} end
 */
function trimmed(text, from, end) {
  for (; end > from + 1; end--) {
    const last = text[end - 1];
    if (".,;:!?'*_".includes(last)) continue;
    const open = { ")": "(", "]": "[", "}": "{" }[last];
    if (!open || count(text, from, end, open) >= count(text, from, end, last)) break;
  }
  return end;
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} end
 * @param {string} what
 */
function count(text, from, end, what) {
  return text.slice(from, end).split(what).length - 1;
}

/**
 * The first name without a scheme that is a host, or an address with a path.
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @returns {Found | undefined}
 */
function bare(text, from, to) {
  for (let at = from; at < to; at++) {
    if (!HOST.test(text[at])) continue;
    let end = at;
    while (end < to && HOST.test(text[end])) end++;
    const found = named(text, at, end, to);
    if (found) return found;
    at = end;
  }
  return undefined;
}

/**
 * What is bare between two places, where the whole of it is a host.
 * @param {string} text
 * @param {number} from
 * @param {number} end
 * @param {number} to
 * @returns {Found | undefined}
 */
function named(text, from, end, to) {
  while (from < end && "-_".includes(text[from]) || DOT.test(text[from] ?? "")) from++;
  const after = text[end] ?? "";
  const path = end < to && "/\\?#".includes(after) && text[end - 1] !== "_";
  let close = end;
  while (close > from && ("-_".includes(text[close - 1]) || DOT.test(text[close - 1]))) close--;
  if (after === "@" && end < to) return undefined;
  const name = text.slice(from, close);
  const port = close === end ? /^:\d{1,5}(?![\d.])/u.exec(text.slice(end, to))?.[0] ?? "" : "";
  const rest = path ? end : close + port.length;
  const more = path || "/\\?#".includes(text[rest] || " ");
  const mail = text[from - 1] === "@" && from > 1 && HOST.test(text[from - 2]);
  if (mail && !more) return undefined;
  if (!(more && isAddress(name, text.slice(rest, to))) && !isHost(name, more || port !== "")) return undefined;
  const stop = more ? trimmed(text, rest, cut(text, rest, to)) : rest;
  return { start: from, end: stop, scheme: "", authority: from, rest };
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 */
function cut(text, from, to) {
  const next = text.slice(from, to).search(NEXT);
  return next < 0 ? to : from + next;
}

/**
 * Whether a name is a host that a link may be made of. `more`: it has a port or a path.
 * @param {string} name
 * @param {boolean} more
 */
function isHost(name, more) {
  const labels = name.split(DOT);
  if (labels.length < 2 || labels.includes("")) return false;
  const last = labels[labels.length - 1];
  const top = ascii(last);
  if (!TLDS.has(top)) return false;
  if (more || /^www$/iu.test(labels[0])) return true;
  if (FILES.has(top) || NAMES.has(name.toLowerCase())) return false;
  return !(/^[A-Z][a-z]+$/u.test(last) && WORDS.has(top) && /[^A-Z0-9_-]$/u.test(labels[labels.length - 2]));
}

/**
 * Whether it is an IPv4 address with a path, which is not the size of a network.
 * @param {string} name
 * @param {string} path
 */
function isAddress(name, path) {
  return /^(\d{1,3}\.){3}\d{1,3}$/u.test(name) && !/^\/\d{1,2}(?![\w/])/u.test(path);
}

/**
 * A label as the parser of addresses writes it; empty where it cannot be one.
 * @param {string} label
 */
function ascii(label) {
  if (/^[a-z0-9-]+$/iu.test(label)) return label.toLowerCase();
  try {
    return new URL(`http://a.${label}/`).hostname.slice(2);
  } catch {
    return "";
  }
}
