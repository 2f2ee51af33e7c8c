// @ts-check
/** Whether a link leads where the team trusts: decided on the host that a browser would go to. Pure; as trust.py. */
import { find } from "./detect.js";

/** @typedef {import("./detect.js").Found} Found */

const SCHEMES = new Set(["", "http", "https"]);
const LETTERS = /^[a-z0-9\p{Ll}\p{Lo}\p{M}-]+$/u;

/**
 * The domains that are trusted, as they are compared: `example.com` with all below it, `=example.com` alone.
 * Raises TypeError for one that is no host.
 * @param {Iterable<string>} domains
 * @returns {Set<string>}
 */
export function trusting(domains) {
  const all = new Set();
  for (const each of domains) {
    const exact = each.trim().startsWith("=");
    const host = new URL(`http://${each.trim().replace(/^=|^\*\./u, "")}/`).hostname;
    all.add(exact ? `=${host}` : host);
  }
  return all;
}

/**
 * Whether the host, or one above it, is trusted.
 * @param {string} host   as the parser of addresses writes it
 * @param {Set<string>} trusted
 */
export function isTrustedHost(host, trusted) {
  if (trusted.has(`=${host}`) || trusted.has(host)) return true;
  if (/^[\d.]+$/u.test(host) || host.startsWith("[")) return false;
  for (let at = host.indexOf("."); at >= 0; at = host.indexOf(".", at + 1)) {
    if (trusted.has(host.slice(at + 1))) return true;
  }
  return false;
}

/**
 * Whether what was found in a text leads to a trusted host, for every program that may read it.
 * @param {string} text
 * @param {Found} found
 * @param {Set<string>} trusted
 */
export function isTrusted(text, found, trusted) {
  if (!SCHEMES.has(found.scheme)) return false;
  const url = parsed((found.scheme ? "" : "http://") + text.slice(found.start, found.end));
  if (!url || url.username || url.password || !isTrustedHost(url.hostname, trusted)) return false;
  if (found.scheme && text.slice(found.start + found.scheme.length, found.authority) !== "://") return false;
  return text[found.rest] !== "\\" && isPlain(text.slice(found.authority, found.rest), url.hostname);
}

/**
 * Whether the target of a link that was made already is trusted.
 * @param {string} href   as it stands
 * @param {Set<string>} trusted
 */
export function isTrustedTarget(href, trusted) {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/iu.exec(href)?.[1].toLowerCase();
  if (scheme === "mailto" || scheme === "tel") return true;
  const [found, ...others] = find(href.trim());
  return others.length === 0 && found?.start === 0 && found.end === href.trim().length && found.scheme !== "" && isTrusted(href.trim(), found, trusted);
}

/**
 * Whether the host is spelled as every program reads it: in lower or upper case, or with letters that no program maps.
 * @param {string} authority
 * @param {string} host
 */
function isPlain(authority, host) {
  const spelled = authority.toLowerCase().replace(/:\d{1,5}$/u, "").split(".");
  const read = host.split(".");
  return spelled.length === read.length && spelled.every((label, at) => label === read[at] || isLetters(label, read[at]));
}

/**
 * @param {string} label
 * @param {string} read   the same as the parser of addresses writes it
 */
function isLetters(label, read) {
  return read.startsWith("xn--") && label.normalize("NFC") === label && LETTERS.test(label);
}

/** @param {string} text */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
