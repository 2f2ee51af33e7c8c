// @ts-check
/** Writes untrusted addresses so that nothing makes a link of them, and back. Pure; the same as defang.py. */
import { DOTS, Reader } from "./detect.js";
import { isTrusted } from "./trust.js";

const MOST_TIMES = 4;
const DOT = new RegExp(`\\[[${DOTS}]\\]|[${DOTS}]`, "gu");
const ADDRESS = /\[[0-9a-f:.]{2,}\]/gi;
const SCHEME = /(?:https?|ftp):/gi;
/** One more, before what is read as a path: `http://ssh://…`. */
const AGAIN = /(?<![a-z0-9+.\]-])[a-z][a-z0-9+-]+:$/i;

/**
 * The text with every untrusted address unclickable; trusted ones, e-mail addresses and names of files as they are. What is
 * made may begin anew where something invisible follows, so it is read again.
 * @param {string} text
 * @param {Set<string>} trusted   as `trusting` makes it
 */
export function defang(text, trusted) {
  let [before, now] = [text, readOnce(text, trusted)];
  for (let times = 1; times < MOST_TIMES && now !== before; times++) [before, now] = [now, readOnce(now, trusted)];
  return now;
}

/**
 * @param {string} text
 * @param {Set<string>} trusted
 */
function readOnce(text, trusted) {
  const reader = new Reader(text);
  let done = "";
  let at = 0;
  for (let begun = reader.next(0); begun; begun = reader.next(at)) {
    const kept = isTrusted(text, begun, trusted);
    const end = kept ? reader.end(begun) : begun.rest;
    done += text.slice(at, begun.start) + (kept ? text.slice(begun.start, end) : written(text, begun));
    at = end;
  }
  return done + text.slice(at);
}

/**
 * @param {string} text
 * @param {import("./detect.js").Begun} begun
 */
function written(text, { start, scheme, authority, rest }) {
  const before = text.slice(start, authority);
  const host = text
    .slice(authority, rest)
    .replace(ADDRESS, (each) => each.replaceAll(":", "[:]"))
    .replace(DOT, "[.]")
    .replace(SCHEME, named);
  return (scheme ? named(before) : before) + (text.startsWith("//", rest) ? host.replace(AGAIN, named) : host);
}

/**
 * What begins with a scheme, with a scheme that no program knows.
 * @param {string} whole
 */
function named(whole) {
  if (/^(?:https?|ftp):/i.test(whole)) return whole.replace(/^[^:]+/, (each) => each.replaceAll("t", "x").replaceAll("T", "X"));
  return /^(?:hxxps?|fxp):/i.test(whole) || whole.includes("[:]") ? whole : whole.replace(":", "[:]");
}

/**
 * The text with what was made unclickable, by us or as others write it, as it was.
 * @param {string} text
 */
export function refang(text) {
  return text
    .replace(/h(?:xx|\*\*)p(?=s?(?:\[?:|\]:\/\/))|fxp(?=\[?:|\]:\/\/)/gi, (each) => each.replace(/[x*]/g, "t").replaceAll("X", "T"))
    .replace(/\[(https?|ftp)\](?=:\/\/)/gi, "$1")
    .replace(/\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}/gi, ".")
    .replace(/\[:\]/g, ":")
    .replace(/\[:\/\/\]/gu, "://")
    .replace(/\[(?:@|at)\]|\((?:@|at)\)/gi, "@")
    .replace(/\[\/\]/gu, "/");
}
