// @ts-check
/** Whether a link leads where the team trusts: decided on the host that a browser would go to. Pure; as trust.py. */
import { SEPARATORS, WHITE } from "./detect.js";
import { ascii } from "./names.js";
import { TLDS } from "./tlds.js";

/** @typedef {import("./detect.js").Begun} Begun */

const SCHEMES = new Set(["", "http", "https"]);
/** Of a name of a host. */
const LONGEST = 253;
const LETTERS = /^[a-z0-9\p{Ll}\p{Lo}\p{M}-]+$/u;
/** A target as every program reads it, and the host in it. */
const TARGET = /^[\u0000-\u0020]*https?:\/\/([^/\\?#\u0000-\u0020]+)(?:[/?#][^\u0000-\u001f\u007f]*| *)$/i;
const MAIL = /^[\u0000-\u0020]*(?:mailto|tel):/i;
/** What some programs read as a part of the name that follows. */
const LEFT = new RegExp(`[^\\u0000-\\u007f${SEPARATORS}]`);
/** On to where every program stops. */
const ON = new RegExp(`[^${WHITE}"<>\`/\\\\?#]{0,1000}`, "y");
const LAST = /[.\u3002\uff0e\uff61]([^.\u3002\uff0e\uff61]+)[.\u3002\uff0e\uff61]*$/;
/** What countries sell names under, as in `co.uk`, and the best known of those that sell as they do. */
const ANYBODYS = new RegExp(
  "^(?:(?:ac|asso|asn|biz|co|com|ed|edu|firm|gen|go|gob|gouv|gov|govt|gr|gv|ind|lg|ltd|mil|ne|net|nhs|nic|nom|or|org|plc|police|re|sch|school)" +
    "\\.[a-z][a-z]|(?:br|cn|de|eu|gb|jpn|ru|sa|uk|us|za)\\.com|(?:gb|se|uk)\\.net|eu\\.org|id\\.au|me\\.uk|web\\.za)$",
);
const TRUSTABLE = /^\s*(=?)(?:\*\.)?([^\s/\\?#@:=*]+|\[[0-9a-f:.]+\])\s*$/i;

/**
 * The domains that are trusted, as they are compared: `example.com` with all below it, `=example.com` alone.
 * Raises TypeError for one that is no host, and for one under which anybody can have a name: `com`, `co.uk`.
 * @param {Iterable<string>} domains
 * @returns {Set<string>}
 */
export function trusting(domains) {
  const all = new Set();
  for (const each of domains) {
    const [, exact, name] = TRUSTABLE.exec(each) ?? [];
    const host = name && parsed(`http://${name}/`)?.hostname.replace(/\.$/u, "");
    const wide = !host || host.split(".").includes("") || TLDS.has(host) || (!exact && ANYBODYS.test(host));
    if (wide) throw new TypeError(`${each} is no domain that can be trusted.`);
    all.add(exact + host);
  }
  return all;
}

/**
 * Whether the host, or one above it, is trusted.
 * @param {string} host   as the parser of addresses writes it
 * @param {Set<string>} trusted
 */
export function isTrustedHost(host, trusted) {
  const name = host.replace(/\.$/u, "");
  if (name.length > LONGEST) return false;
  if (trusted.has(`=${name}`) || trusted.has(name)) return true;
  for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1)) {
    if (trusted.has(name.slice(at + 1))) return true;
  }
  return false;
}

/**
 * Whether what begins in a text leads to a trusted host, for every program that may read it.
 * @param {string} text
 * @param {Begun} begun
 * @param {Set<string>} trusted
 */
export function isTrusted(text, { start, scheme, authority, rest }, trusted) {
  if (!SCHEMES.has(scheme)) return false;
  if (scheme && text.slice(start + scheme.length, authority) !== "://") return false;
  if (text[rest] === "\\" || !isTrustedAuthority(text.slice(authority, rest), trusted)) return false;
  if (!scheme && LEFT.test(text[start - 1] ?? " ")) return false;
  return !(scheme || /^www\./i.test(text.slice(authority, authority + 4))) || isReadAlike(text, rest);
}

/**
 * Whether the target of a link that was made already is trusted.
 * @param {string} href   as it stands
 * @param {Set<string>} trusted
 */
export function isTrustedTarget(href, trusted) {
  if (MAIL.test(href)) return true;
  const target = TARGET.exec(href);
  return target !== null && isTrustedAuthority(target[1], trusted);
}

/**
 * Whether a host with or without a port is trusted, and spelled as every program reads it.
 * @param {string} authority
 * @param {Set<string>} trusted
 */
function isTrustedAuthority(authority, trusted) {
  const spelled = lower(authority.replace(/:\d{0,5}$/u, ""));
  if (/^[\u0000-\u007f]*$/u.test(spelled) && !isTrustedHost(spelled, trusted)) return false;
  const host = parsed(`http://${authority}/`)?.hostname;
  return host !== undefined && isTrustedHost(host, trusted) && isPlain(spelled, host);
}

/**
 * Whether it is written as it is read: in lower or upper case, or with letters that no program maps.
 * @param {string} spelled
 * @param {string} host   the same as the parser of addresses writes it
 */
function isPlain(spelled, host) {
  if (spelled === host && host.startsWith("[")) return true;
  const read = host.split(".");
  const labels = spelled.split(".");
  return labels.length === read.length && labels.every((label, at) => isLabel(label, read[at]));
}

/**
 * @param {string} label
 * @param {string} read   the same as the parser of addresses writes it
 */
function isLabel(label, read) {
  if (label === read) return /^[a-z0-9_-]*$/.test(label);
  const small = label.toLowerCase();
  return read.startsWith("xn--") && small.normalize("NFKC") === small && LETTERS.test(small);
}

/**
 * Whether a program that reads on to the next white space goes to the same place.
 * @param {string} text
 * @param {number} rest
 */
function isReadAlike(text, rest) {
  ON.lastIndex = rest;
  const on = ON.exec(text)?.[0] ?? "";
  if (on.length === 1000 || on.includes("@")) return false;
  const last = LAST.exec(on)?.[1];
  return last === undefined || !TLDS.has(ascii(last));
}

/**
 * @param {string} text
 * @returns {string}   only what is ASCII in lower case
 */
function lower(text) {
  return text.replace(/[A-Z]+/gu, (each) => each.toLowerCase());
}

/** @param {string} text */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
