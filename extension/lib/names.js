// @ts-check
/** Whether a name that stands in a text without a scheme is one that a link may be made of. Pure; the same as names.py. */
import { TLDS } from "./tlds.js";

/** Beside the common one. */
const DOTS = /[\u3002\uff0e\uff61\u2024]/g;
/** What the parser of addresses leaves out. */
const LEFT_OUT = /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]/gu;
const SCHEME = /(?:h(?:tt|xx)ps?|f[tx]p|wss?)$/i;
/** Endings of files that are top-level domains too. */
const FILES = new Set(["md", "mov", "pub", "py", "rs", "sh", "zip"]);
/** Names of products that are hosts too. */
const NAMES = new Set(["ado.net", "asp.net", "draw.io", "ml.net", "socket.io", "vb.net"]);
/** Words that begin a sentence where somebody left out the space before it. */
const WORDS = new Set(
  (
    "ai am as at au be best by ca call click contact de do es et for go help here how il in is it je la link ma me my new next no now " +
    "on one open or page please re sa se si so support to today us you"
  ).split(" "),
);
/** How the sentence goes on. */
const GOES_ON = /(?:,? |['\u2019])[a-z\u00c0-\u024f]/iy;
/** What variables of programs have: `$user.name`. */
const PARTS = new Set(["call", "data", "date", "host", "id", "link", "name", "open", "page", "style", "target"]);

/**
 * @param {string} text
 * @param {number} start
 * @param {number} close   where the name ends
 * @param {number} rest    where its port ends
 * @param {boolean} more   whether a path follows
 */
export function isHost(text, start, close, rest, more) {
  const name = text.slice(start, close);
  const labels = name.replace(DOTS, ".").split(".");
  if (labels.length < 2 || labels.includes("")) return false;
  const last = labels[labels.length - 1];
  if (/^www$/i.test(labels[0]) && !SCHEME.test(last)) return true;
  const top = ascii(last);
  if (!TLDS.has(top)) return false;
  if (FILES.has(top)) return more && text[rest] !== "#";
  if (more || rest > close) return true;
  if (NAMES.has(name.toLowerCase()) || (text[start - 1] === "$" && PARTS.has(top))) return false;
  return !(WORDS.has(top) && /^[A-Z][a-z]+$/u.test(last) && beginsSentence(text, labels, close));
}

/**
 * @param {string} text
 * @param {string[]} labels
 * @param {number} close
 */
function beginsSentence(text, labels, close) {
  GOES_ON.lastIndex = close;
  return /[^A-Z0-9_-]$/u.test(labels[labels.length - 2]) && GOES_ON.test(text);
}

/**
 * Whether it is an IPv4 address with a path: not a folder of that name, nor the size of a network.
 * @param {string} text
 * @param {number} start
 * @param {number} close
 * @param {number} rest
 */
export function isAddress(text, start, close, rest) {
  if (!/^(\d{1,3}\.){3}\d{1,3}$/u.test(text.slice(start, close))) return false;
  if (text[start - 1] === "/" && text[start - 2] !== "/") return false;
  return !/^\/\d{1,2}(?![\w/])/u.test(text.slice(rest, rest + 4));
}

/**
 * A label as the parser of addresses writes it; empty where it cannot be one.
 * @param {string} label
 */
export function ascii(label) {
  const seen = label.replace(LEFT_OUT, "");
  if (/^[a-z0-9-]*$/i.test(seen)) return seen.toLowerCase();
  try {
    return new URL(`http://a.${seen}/`).hostname.slice(2);
  } catch {
    return "";
  }
}
