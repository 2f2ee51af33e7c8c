// @ts-check
/** What to write instead of what stands in an editor: pure, over a line of text and the links in it. */
import { defang, refang } from "../lib/defang.js";
import { find, WHITE } from "../lib/detect.js";
import { isTrustedTarget, trusting } from "../lib/trust.js";

/**
 * A link over a stretch of a line.
 * @typedef {{start: number, end: number, href: string, whole: boolean}} Link   whole: nothing but text is in it
 */
/** @typedef {{text: string, href?: string}} Piece */
/**
 * A stretch of a line to be written anew.
 * @typedef {object} Edit
 * @property {number} start
 * @property {number} end
 * @property {Piece[]} was
 * @property {Piece[]} pieces   with the links that stay
 * @property {string} key       what the same stretch is known by when it comes again
 * @property {boolean} open     the next word may still make a sentence of it
 * @property {boolean} stuck    cannot be written without losing what is no text
 */
/** @typedef {{start: number, end: number, links: Link[]}} Stretch */

const WORD = new RegExp(`[^${WHITE}]+`, "gu");
const SPACE = new RegExp(`[${WHITE}]`, "u");

/** @param {Piece[]} pieces */
export const said = (pieces) => pieces.map(({ text }) => text).join("");

/**
 * The words of a text that differ from what it was, or touch what does.
 * @param {string} before
 * @param {string} after
 * @returns {[number, number]}
 */
export function edited(before, after) {
  const shorter = Math.min(before.length, after.length);
  let from = most(shorter, (low, high) => before.startsWith(after.slice(low, high), low));
  const same = most(shorter - from, (low, high) => before.endsWith(after.slice(after.length - high, after.length - low), before.length - low));
  let to = after.length - same;
  while (from > 0 && !SPACE.test(after[from - 1])) from--;
  while (to < after.length && !SPACE.test(after[to])) to++;
  return [from, to];
}

/**
 * The most signs that are the same: the browser compares a half of them at once, which is quicker than one after another.
 * @param {number} high
 * @param {(low: number, high: number) => boolean} same   whether those between two numbers are
 */
function most(high, same) {
  let low = 0;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (same(low, middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * What is to be written anew in a part of a line; links that are not trusted, in all of it.
 * @param {string} text
 * @param {Link[]} links
 * @param {Set<string>} trusted
 * @param {[number, number]} part   whole words
 * @returns {Edit[]}
 */
export function edits(text, links, trusted, [from, to] = [0, text.length]) {
  const bad = links.filter(({ href }) => !isTrustedTarget(href, trusted));
  /** @type {Edit[]} */
  const all = [];
  for (const stretch of stretches(text, links, bad, from, to)) {
    const each = edit(text, stretch, bad, trusted);
    if (each) all.push(each);
  }
  return all;
}

/**
 * The words in a part and under the bad links, those under one link together.
 * @param {string} text
 * @param {Link[]} links
 * @param {Link[]} bad
 * @param {number} from
 * @param {number} to
 * @returns {Stretch[]}
 */
function stretches(text, links, bad, from, to) {
  const spans = [...text.slice(from, to).matchAll(WORD)].map(({ 0: word, index }) => [from + index, from + index + word.length]);
  for (const { start, end } of bad) spans.push(around(text, start, end));
  spans.sort(([a], [b]) => a - b);
  /** @type {Stretch[]} */
  const all = [];
  for (let [start, end] of spans) {
    const over = links.filter((link) => link.start < end && link.end > start && link.end > link.start);
    for (const link of over) [start, end] = [Math.min(start, link.start), Math.max(end, link.end)];
    const last = all.at(-1);
    if (last && start < last.end) {
      last.end = Math.max(last.end, end);
      last.links.push(...over.filter((link) => !last.links.includes(link)));
    } else all.push({ start, end, links: over });
  }
  return all;
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} end
 */
function around(text, start, end) {
  while (start > 0 && !SPACE.test(text[start - 1])) start--;
  while (end < text.length && !SPACE.test(text[end])) end++;
  return [start, end];
}

/**
 * @param {string} text
 * @param {Stretch} stretch
 * @param {Link[]} bad
 * @param {Set<string>} trusted
 * @returns {Edit | undefined}
 */
function edit(text, { start, end, links }, bad, trusted) {
  const was = cut(text, start, end, links);
  let pieces = was.map((piece) => safe(piece, bad, trusted));
  const whole = said(pieces);
  const next = text.slice(end, end + 2); // `end.My house` is a sentence: how it goes on decides
  const broken = defang(whole + next, trusted).slice(0, next ? -next.length : undefined);
  if (broken !== whole) pieces = [{ text: broken }];
  const same = broken === said(was) && !links.some((link) => bad.includes(link));
  if (same) return undefined;
  const open = defang(`${whole} a`, trusted) === `${whole} a` && !links.length;
  return { start, end, was, pieces, key: key(was), open, stuck: links.some((link) => !link.whole) };
}

/**
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @param {Link[]} links   in order
 * @returns {Piece[]}
 */
function cut(text, start, end, links) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = start;
  for (const link of links) {
    if (link.start > at) pieces.push({ text: text.slice(at, link.start) });
    pieces.push({ text: text.slice(link.start, link.end), href: link.href });
    at = link.end;
  }
  if (at < end) pieces.push({ text: text.slice(at, end) });
  return pieces;
}

/**
 * @param {Piece} piece
 * @param {Link[]} bad
 * @param {Set<string>} trusted
 * @returns {Piece}
 */
function safe({ text, href }, bad, trusted) {
  if (href === undefined) return { text };
  if (bad.some((link) => link.href === href)) return { text: unlinked(text, href, trusted) };
  const shown = defang(text, trusted);
  return shown === text ? { text, href } : { text: `${shown} (${href})` };
}

/**
 * What a link that is not trusted is written as: its text, and its target where they differ.
 * @param {string} text
 * @param {string} href
 * @param {Set<string>} trusted
 */
export function unlinked(text, href, trusted) {
  const shown = defang(text, trusted);
  if (bare(refang(text)) === bare(href)) return shown !== text || refang(text) !== text ? shown : forced(text);
  const target = defang(href, trusted);
  return `${shown} (${target === href ? forced(href) : target})`;
}

/** @param {string} address   without what editors add to make a link of a name */
function bare(address) {
  return address.trim().replace(/^https?:\/\//iu, "").replace(/\/$/u, "").toLowerCase();
}

/** Whether nothing is lost of a piece without its link. @param {Piece} piece */
export function isBare({ text, href }) {
  return href === undefined || bare(text) === bare(href);
}

/** @param {string} text   unclickable though the detector takes it for the name of a file */
function forced(text) {
  return text.replace(/^(\s*[a-z][a-z0-9+-]*):/iu, "$1[:]").replace(/^[^/?#]*/u, (host) => host.replace(/\.(?!\s*$)(?!\])/gu, "[.]"));
}

/** @param {Piece[]} was */
function key(was) {
  return was.map((piece) => (isBare(piece) ? piece.text : `${piece.text}\n${piece.href}`)).join("");
}

/**
 * The hosts that would have to be trusted for a stretch to stay; none where trust cannot help.
 * @param {Piece[]} was
 * @param {Set<string>} trusted
 */
export function hosts(was, trusted) {
  const written = was.flatMap(({ text, href }) => [...find(text).map(({ start, end }) => text.slice(start, end)), ...(href ? [href] : [])]);
  const all = new Set(written.map(host).filter((each) => each !== undefined));
  const more = new Set([...trusted, ...all]);
  const text = said(was);
  const links = was.filter(({ href }) => href).map(({ href = "" }) => href);
  const helps = defang(text, more) === text && links.every((href) => isTrustedTarget(href, more));
  return helps ? [...all].filter((each) => !isTrustedTarget(`https://${each}/`, trusted)) : [];
}

/**
 * @param {string} address
 * @returns {string | undefined}
 */
function host(address) {
  try {
    const [name] = trusting([new URL(/^[a-z]+:\/\//iu.test(address) ? address : `https://${address}`).hostname]);
    return name;
  } catch {
    return undefined;
  }
}
