// @ts-check
/**
 * The regular expressions that a rule may have: those of which it can be told beforehand that they end soon, and that
 * mean the same in every language. Pure; the same as pattern.py.
 *
 * Letters and digits, `.`, `\d \w \s` (and their opposites), signs after `\`, `[classes]`, `^ $`, `(a|b)`, and `? * + {2,5}`
 * after one character; after a group only `?`. Upper and lower case are one.
 */

/** The most there may be: characters of a pattern and of the value it is tried on, groups in each other, steps. */
export const MOST = { pattern: 200, value: 256, depth: 4, steps: 2 ** 20 };

const SIGN = "\\\\[!-/:-@\\[-`{-~]|\\\\[dDwWsS]";
const INSIDE = `(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|${SIGN}|[A-Za-z0-9 !"#$%'()*+,./:;<=>?@_\`{}])`;
const TOKEN = new RegExp(`(${SIGN}|\\[\\^?(?:-?${INSIDE}+-?|-)\\]|[A-Za-z0-9 !"#%&',/:;<=>@_\`~.-])|([?*+]|\\{[0-9]{1,2}(?:,[0-9]{0,2})?\\})|\\((?!\\?)|\\(\\?:|[)|^$]`, "y");
const FOREIGN = /^(?:\\[A-Za-z0-9]|\(\?)/;

/**
 * One level of a pattern while it is read.
 * @typedef {object} Level
 * @property {number} others     in how many ways the alternatives before this one match
 * @property {number} ways       in how many what was read of this one does, without `last`
 * @property {number} last       in how many its last part does; 0 where there is none that may be repeated
 * @property {boolean} group     whether the last part is a group
 * @property {boolean} empty     whether nothing was read of this alternative yet
 * @property {boolean} anchored  whether all alternatives until here begin with ^
 */

/** @returns {Level} */
const level = () => ({ others: 0, ways: 1, last: 0, group: false, empty: true, anchored: true });

/**
 * How many steps trying the pattern takes at most; else in a word why it cannot be one: `long`, `nested`, `foreign`
 * (signs that other languages read otherwise, or that look back), `unreadable`, `slow`. The empty one matches all.
 * @param {string} pattern
 * @returns {number | "long" | "nested" | "foreign" | "unreadable" | "slow"}
 */
export function steps(pattern) {
  if (pattern.length > MOST.pattern) return "long";
  if (pattern === "") return 1;
  const levels = [level()];
  let length = 0;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < pattern.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(pattern);
    if (!token) return FOREIGN.test(pattern.slice(at)) ? "foreign" : "unreadable";
    const wrong = token[2] ? repeated(levels[levels.length - 1], token[2]) : read(levels, token[0], token[1] !== undefined);
    if (wrong) return wrong;
    length += token[1] ? 1 : token[2] ? Math.max(0, longest(token[2]) - 1) : 0;
  }
  const [whole, ...open] = levels;
  if (open.length > 0 || whole.empty || !compiles(pattern)) return "unreadable";
  const all = ways(whole) * (whole.anchored ? 1 : MOST.value) * Math.max(1, length);
  return all > MOST.steps ? "slow" : all;
}

/**
 * The expression to try on values as `plain` makes them, of a pattern that `steps` has let pass.
 * @param {string} pattern
 * @returns {RegExp}
 */
export function compiled(pattern) {
  return new RegExp(pattern, "i");
}

/**
 * A value from outside as it is compared and shown: what is not printable ASCII is one sign, and its end is cut.
 * @param {string} value
 */
export function plain(value) {
  return value.replace(/[^ -~]+/g, "\ufffd").slice(0, MOST.value);
}

/**
 * Reads what is no repetition; in a word what is wrong, if anything.
 * @param {Level[]} levels
 * @param {string} token
 * @param {boolean} one   whether it is a character or a class
 * @returns {"" | "unreadable" | "nested"}
 */
function read(levels, token, one) {
  const here = levels[levels.length - 1];
  if (token === "|" || token === ")") {
    if (here.empty) return "unreadable";
    if (token === "|") return next(here);
    levels.pop();
    return levels.length > 0 ? part(levels[levels.length - 1], ways(here), true) : "unreadable";
  }
  if (here.empty && token !== "^") here.anchored = false;
  if (token === "(" || token === "(?:") {
    here.empty = false;
    return levels.push(level()) > MOST.depth + 1 ? "nested" : "";
  }
  return part(here, one ? 1 : 0, false);
}

/**
 * @param {Level} here
 * @param {number} last
 * @param {boolean} group
 * @returns {""}
 */
function part(here, last, group) {
  Object.assign(here, { ways: here.ways * (here.last || 1), last, group, empty: false });
  return "";
}

/**
 * @param {Level} here
 * @returns {""}
 */
function next(here) {
  Object.assign(here, level(), { others: ways(here), anchored: here.anchored });
  return "";
}

/** @param {Level} here */
function ways(here) {
  return here.others + here.ways * (here.last || 1);
}

/**
 * Reads a repetition of the last part; in a word what is wrong, if anything.
 * @param {Level} here
 * @param {string} token
 * @returns {"" | "unreadable" | "nested"}
 */
function repeated(here, token) {
  if (here.last === 0) return "unreadable";
  if (here.group && token !== "?") return "nested";
  const choices = token === "?" ? 1 + here.last : most(token) - least(token) + 1;
  if (choices < 1) return "unreadable";
  Object.assign(here, { ways: here.ways * choices, last: 0, group: false });
  return "";
}

/** @param {string} token */
function least(token) {
  return token.startsWith("{") ? parseInt(token.slice(1), 10) : token === "+" ? 1 : 0;
}

/** @param {string} token */
function most(token) {
  if (token === "?") return 1;
  const [from, to] = token.slice(1, -1).split(",");
  return to === undefined && from ? Number(from) : to ? Number(to) : MOST.value;
}

/**
 * How many characters a repetition reads each time; one without an end reads on for all its ways, not for each anew.
 * @param {string} token
 */
function longest(token) {
  return most(token) === MOST.value ? least(token) : most(token);
}

/** @param {string} pattern */
function compiles(pattern) {
  try {
    return compiled(pattern) instanceof RegExp;
  } catch {
    return false;
  }
}
