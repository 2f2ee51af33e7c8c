// @ts-check
/** Writes untrusted addresses so that nothing makes a link of them, and back. Pure; the same as defang.py. */
import { DOTS, find } from "./detect.js";
import { isTrusted } from "./trust.js";

const DOT = new RegExp(`\\[[${DOTS}]\\]|[${DOTS}]`, "gu");
const SCHEME = /(https?|ftp)(?=:)/giu;
/** @type {Record<string, string>} */
const SCHEMES = { http: "hxxp", https: "hxxps", ftp: "fxp" };

/**
 * The text with every untrusted address unclickable; trusted ones, e-mail addresses and names of files as they are.
 * @param {string} text
 * @param {Set<string>} trusted   as `trusting` makes it
 */
export function defang(text, trusted) {
  let done = "";
  let at = 0;
  for (const found of find(text)) {
    done += text.slice(at, found.start);
    const whole = text.slice(found.start, found.end);
    done += isTrusted(text, found, trusted) ? whole : written(text, found, trusted);
    at = found.end;
  }
  return done + text.slice(at);
}

/**
 * @param {string} text
 * @param {import("./detect.js").Found} found
 * @param {Set<string>} trusted
 */
function written(text, found, trusted) {
  const between = text.slice(found.start + found.scheme.length, found.authority);
  const scheme = SCHEMES[found.scheme] ? SCHEMES[found.scheme] + between : found.scheme && `${found.scheme}[:]${between.slice(1)}`;
  const inside = text.slice(found.rest, found.end);
  const authority = text
    .slice(found.authority, found.rest)
    .replace(/\[[0-9a-f:.]{2,}\]/giu, (each) => each.replaceAll(":", "[:]"))
    .replace(DOT, "[.]");
  const all = (authority + inside).replace(SCHEME, (each) => SCHEMES[each.toLowerCase()]);
  return scheme + defang(all, trusted);
}

/**
 * The text with what was made unclickable, by us or as others write it, as it was.
 * @param {string} text
 */
export function refang(text) {
  return text
    .replace(/\bh(?:xx|tt|\*\*)p(s?)(?=\[?:|\[:?\]|:\/\/)/giu, "http$1")
    .replace(/\bfxp(?=\[?:)/giu, "ftp")
    .replace(/\[(https?|ftp)\](?=:\/\/)/giu, "$1")
    .replace(/\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}/giu, ".")
    .replace(/\[:\]/gu, ":")
    .replace(/\[:\/\/\]/gu, "://")
    .replace(/\[(?:@|at)\]|\((?:@|at)\)/giu, "@")
    .replace(/\[\/\]/gu, "/");
}
