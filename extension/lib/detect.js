// @ts-check
/** Finds in a text what a mail program, a browser or an editor may make a link of. Pure; the same as detect.py. */
import { isAddress, isHost } from "./names.js";
import { TLDS } from "./tlds.js";

/**
 * The beginning of a piece of a text that may become a link.
 * @typedef {object} Begun
 * @property {number} start
 * @property {string} scheme      in lower case; empty for a bare name
 * @property {number} authority   where user, host and port begin
 * @property {number} rest        where they end: a path, a query, or the end
 * @property {number} limit       where it ends at the latest
 */
/** @typedef {Begun & {end: number}} Found */

export const DOTS = ".\u3002\uff0e\uff61\u2024";
/** Where every program ends what it reads. */
export const WHITE = "\\u0000-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff";
/** White space, what encloses, and punctuation, but for what the parser of addresses reads as a dot or leaves out. */
export const SEPARATORS =
  "\\u0000-\\u0020\"<>`\\u007f-\\u00a1\\u00ab\\u00b4\\u00b6\\u00bb\\u00bf\\u1680\\u2000-\\u200a\\u2010-\\u2023\\u2025-\\u2029\\u202f-\\u205f" +
  "\\u3000\\u3001\\u3003-\\u3020\\uff01-\\uff0c\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff60\\uff62-\\uff65";
const SEPARATOR = new RegExp(`[${SEPARATORS}]`, "g");
/** Nothing is found where none of them is. */
const MARK = new RegExp(`[:${DOTS}]`, "g");
/** Schemes whose addresses have a host whatever stands between the colon and it. */
const SPECIAL = /(https?|ftp):/gi;
const OTHER = new RegExp(
  `(?<![a-z0-9+\\]${DOTS}-]|[^\\u0000-\\u007f${SEPARATORS}])(?:(?![a-z0-9+-]*(?:hxxps?|fxp):)([a-z][a-z0-9+-]+)://(?=[^/${SEPARATORS}])` +
    "|(?<!:)//(?=\\[[0-9a-f.]*:[0-9a-f.]*:))",
  "gi",
);
/** Two addresses in a row. */
const NEXT = /[,;|)\]}](?=[([]?(?:https?|ftp|wss?|hxxps?|fxp)(?::|\[:))/gi;
const REST = /[/\\?#]/g;
/** What some programs take for the end of a link. */
const STOP = /[|^{}[\]'*\\]|[^\u0000-\u007f]/g;
const BRACKET = /[()]/g;
const PAIR = /\([^()]*\)/y;
const INNER = new RegExp(`[^${DOTS}:[][${DOTS}][^${DOTS}:\\]]|\\[[0-9a-f.]*:[0-9a-f.]*:`, "i");
const HOST = new RegExp(`[A-Za-z0-9_\\-${DOTS}\\u0080-\\uffff]`);
const NO_HOST = new RegExp(`[^A-Za-z0-9_\\-${DOTS}\\u0080-\\uffff]|[${SEPARATORS}]|[${DOTS}](?=[${DOTS}])`, "g");
/** The part of a name that is read by programs that know ASCII only, or only ASCII after a dot, and where some end it. */
const PIECE = new RegExp(`(?<![\\w-])[\\w-]*[\\w\\u0080-\\u{10ffff}-](?:[${DOTS}][\\w-]+)+`, "gu");
const LINE = new RegExp(`[a-z0-9](?=[-_${DOTS.slice(1)}]|\\.[-_])`, "gi");
/** Of a name of a host. */
const LONGEST = 253;
/** Of what may be left of one without what is invisible; to look at more each time would take too long. */
const MOST = 1000;
const PORT = new RegExp(`:\\d{1,5}(?![\\w${DOTS}-])`, "y");
/** Before an address: some programs see none there, but may see one in its path. */
const JOINED = new RegExp(`[\\w/]|[^\\u0000-\\u007f${SEPARATORS}]`);
const JOINED_NAME = /[-\w~@#./]/;
/** Of an e-mail address, without a path after it. */
const DOMAIN = /@[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*\.([a-z][a-z0-9-]*)(?![a-z0-9_-]|\.[a-z0-9-]|[/\\])/iy;
const LOCAL = /[a-z0-9](?:[+%._-]*[_-])?$/i;
/** In a name after the sign of an e-mail address: some programs see a host of its own behind it. */
const APART = /^www\.|_|-\.|\.-/i;
const AROUND = `-_${DOTS}`;
/** A host behind signs that only some programs read as a part of it. */
const BEHIND = new RegExp(`[^${WHITE}"<>\`/\\\\?#.@%]{0,253}[.@%][^${WHITE}.]|[^${WHITE}/\\\\?#@]{0,1000}@[^${WHITE}.]`, "y");
const CLOSING = /[.,;:!?'*_)\]}]*/y;
/** @type {Record<string, string>} */
const OPEN = { ")": "(", "]": "[", "}": "{" };

/**
 * All of them, in order; none overlaps another.
 * @param {string} text
 * @returns {Found[]}
 */
export function find(text) {
  const reader = new Reader(text);
  /** @type {Found[]} */
  const found = [];
  for (let begun = reader.next(0); begun; ) {
    const end = reader.end(begun);
    found.push({ ...begun, end });
    begun = reader.next(end);
  }
  return found;
}

/** Reads a text from left to right, in a time that grows as the text does. */
export class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.separators = new Ahead(SEPARATOR, text);
    this.marks = new Ahead(MARK, text);
    this.specials = new Ahead(SPECIAL, text);
    this.others = new Ahead(OTHER, text);
    this.cuts = new Ahead(NEXT, text);
    this.rests = new Ahead(REST, text);
    this.ends = new Ahead(NO_HOST, text);
    this.stops = new Ahead(STOP, text);
    this.brackets = new Ahead(BRACKET, text);
    /** The next with a scheme in the stretch that ends at `to`. @type {{to: number, begun: Begun | undefined}} */
    this.full = { to: -1, begun: undefined };
  }

  /**
   * The first that begins at a place or after it. The place never goes back.
   * @param {number} at
   * @returns {Begun | undefined}
   */
  next(at) {
    while (at < this.text.length) {
      const mark = this.marks.after(at);
      const to = this.separators.after(at);
      const begun = mark < to ? this.first(at, to) : undefined;
      if (begun || mark === this.text.length) return begun;
      at = to + 1;
    }
    return undefined;
  }

  /**
   * Where one ends: without what closes a sentence or an open bracket, and without what may hide the next one.
   * @param {Begun} begun
   */
  end({ authority, rest, limit }) {
    if (rest === limit) return rest;
    const stop = Math.min(limit, this.stops.after(rest), this.alone(rest, limit));
    return Math.max(rest, trimmed(this.text, authority, stop));
  }

  /**
   * The first bracket between two places that has no other half; the last place where all have.
   * @param {number} from
   * @param {number} to
   */
  alone(from, to) {
    for (let place = this.brackets.after(from); place < to; place = this.brackets.after(from)) {
      from = at(PAIR, this.text, place);
      if (from === place || from > to) return place;
    }
    return to;
  }

  /**
   * The first between two places, without separators between them.
   * @param {number} from
   * @param {number} to
   */
  first(from, to) {
    if (this.full.to !== to || (this.full.begun && this.full.begun.start < from)) {
      this.full = { to, begun: this.withScheme(from, to) };
    }
    return this.bare(from, this.full.begun?.start ?? to) ?? this.full.begun;
  }

  /**
   * @param {number} from
   * @param {number} to
   * @returns {Begun | undefined}
   */
  withScheme(from, to) {
    const other = this.others.match(from);
    const stop = Math.min(to, other?.index ?? to);
    let dull = from; // a host without a dot: no part of it is one
    for (let match = this.specials.match(from); match && match.index < stop; match = this.specials.match(match.index + 1)) {
      const after = match.index + match[0].length;
      if (after < dull) continue;
      const begun = this.special(match.index, after, to, match[1]);
      if (this.isEnough(begun, after)) return begun;
      dull = begun.rest;
    }
    if (!other || other.index >= to) return undefined;
    return this.begun(other.index, other.index + other[0].length, to, other[1] ?? "");
  }

  /**
   * @param {number} start
   * @param {number} after
   * @param {number} to
   * @param {string} scheme
   */
  special(start, after, to, scheme) {
    let authority = after;
    while (authority < to && (this.text[authority] === "/" || this.text[authority] === "\\")) authority++;
    return this.begun(start, authority, to, scheme);
  }

  /**
   * Whether it has a host, and without two slashes one that looks like it.
   * @param {Begun} begun
   * @param {number} after
   */
  isEnough({ authority, rest }, after) {
    if (authority - after < 2) return INNER.test(this.text.slice(authority, rest));
    return authority < rest || at(BEHIND, this.text, authority) > authority;
  }

  /**
   * @param {number} start
   * @param {number} authority
   * @param {number} to
   * @param {string} scheme
   * @returns {Begun}
   */
  begun(start, authority, to, scheme) {
    const cut = Math.min(to, this.cuts.after(authority));
    const at = Math.min(cut, this.rests.after(authority));
    const whole = this.isClosing(at, cut);
    const rest = whole ? trimmed(this.text, authority, at) : at;
    const joined = JOINED.test(this.text[start - 1] ?? "");
    return { start, scheme: scheme.toLowerCase(), authority, rest, limit: whole || joined ? rest : cut };
  }

  /**
   * Whether nothing but the punctuation of a sentence is between two places.
   * @param {number} from
   * @param {number} to
   */
  isClosing(from, to) {
    CLOSING.lastIndex = from;
    return from >= to || from + (CLOSING.exec(this.text)?.[0].length ?? 0) >= to;
  }

  /**
   * The first name without a scheme that is a host, or an address with a path.
   * @param {number} from
   * @param {number} to
   */
  bare(from, to) {
    for (let at = from; at < to; at++) {
      if (!HOST.test(this.text[at])) continue;
      const end = Math.min(to, this.ends.after(at));
      const begun = this.named(at, end, to);
      if (begun) return begun;
      at = end;
    }
    return undefined;
  }

  /**
   * The first host in a stretch of what hosts are written with: all of it, else what is read of it in ASCII.
   * @param {number} from
   * @param {number} end
   * @param {number} to
   */
  named(from, end, to) {
    if (!(this.marks.after(from) < end)) return undefined;
    const [start, close] = bounds(this.text, from, end);
    const begun = this.name(start, close, end, to);
    if (begun) return begun;
    for (const piece of this.text.slice(start, close).matchAll(PIECE)) {
      const at = start + piece.index;
      for (const length of lengths(piece[0])) {
        const part = this.name(at, at + length, at + length === close ? end : at + length, to);
        if (part) return part;
      }
    }
    return undefined;
  }

  /**
   * What is bare between two places, where the whole of it is a host. `end`: with the dots after it.
   * @param {number} start
   * @param {number} close
   * @param {number} end
   * @param {number} to
   * @returns {Begun | undefined}
   */
  name(start, close, end, to) {
    const { text } = this;
    if (close - start > MOST) return undefined;
    if (end < to && text[end] === "@" && this.isMail(end)) return undefined;
    const path = end < to && text[end - 1] !== "_" && this.isPath(end);
    const rest = path ? end : close === end ? Math.min(to, at(PORT, text, end)) : close;
    const more = path || (rest < to && this.isPath(rest));
    const mail = text[start - 1] === "@" && LOCAL.test(text.slice(Math.max(0, start - 9), start - 1)) && !APART.test(text.slice(start, close));
    if (mail && !(more && "/\\".includes(text[rest]))) return undefined;
    if (!(more && isAddress(text, start, close, rest)) && !isHost(text, start, close, rest, more)) return undefined;
    const long = more && text[rest] === "/" && !JOINED_NAME.test(text[start - 1] ?? "");
    const limit = long ? Math.min(to, this.cuts.after(rest)) : rest;
    return { start, scheme: "", authority: start, rest, limit };
  }

  /** @param {number} at   where the domain of an e-mail address may be */
  isMail(at) {
    DOMAIN.lastIndex = at;
    return TLDS.has(DOMAIN.exec(this.text)?.[1].toLowerCase() ?? "");
  }

  /** @param {number} from */
  isPath(from) {
    return "/\\?#".includes(this.text[from]) && !this.isClosing(from, this.full.to);
  }
}

/**
 * Where a name begins and ends without the dots and lines around it.
 * @param {string} text
 * @param {number} from
 * @param {number} end
 */
function bounds(text, from, end) {
  while (from < end && AROUND.includes(text[from])) from++;
  while (end > from && AROUND.includes(text[end - 1])) end--;
  return [from, end];
}

/**
 * The lengths at which its beginning may be taken for a host: all of it, else up to a line or an odd dot.
 * @param {string} name
 */
function lengths(name) {
  const before = [...name.slice(0, LONGEST).matchAll(LINE)].map((match) => match.index + 1).reverse();
  return name.length > LONGEST ? before : [name.length, ...before];
}

/**
 * Where the match at a place ends; the place where there is none.
 * @param {RegExp} sticky
 * @param {string} text
 * @param {number} place
 */
function at(sticky, text, place) {
  sticky.lastIndex = place;
  return sticky.test(text) ? sticky.lastIndex : place;
}

/**
 * The end without what closes a sentence or a bracket that opened before.
 * @param {string} text
 * @param {number} from
 * @param {number} end
 */
function trimmed(text, from, end) {
  /** @type {Record<string, number>} */
  const open = {};
  for (; end > from + 1; end--) {
    const last = text[end - 1];
    if (".,;:!?'*_".includes(last)) continue;
    if (!OPEN[last]) break;
    open[last] ??= count(text, from, end, OPEN[last]) - count(text, from, end, last);
    if (open[last]++ >= 0) break;
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

/** The matches of a pattern, asked for from left to right, so that none is looked for twice. */
class Ahead {
  #from = 0;
  /** @type {RegExpExecArray | null | undefined} */
  #match = undefined;

  /**
   * @param {RegExp} pattern   global
   * @param {string} text
   */
  constructor(pattern, text) {
    this.pattern = pattern;
    this.text = text;
  }

  /**
   * The first match that begins at a place or after it.
   * @param {number} at
   * @returns {RegExpExecArray | null}
   */
  match(at) {
    const known = this.#match !== undefined && at >= this.#from && (this.#match === null || this.#match.index >= at);
    if (!known) {
      this.pattern.lastIndex = at;
      this.#match = this.pattern.exec(this.text);
      this.#from = at;
    }
    return this.#match ?? null;
  }

  /**
   * Where it begins; the end of the text where there is none.
   * @param {number} at
   */
  after(at) {
    return this.match(at)?.index ?? this.text.length;
  }
}
