// @ts-check
/** What differs between two loads of the same address. What differs each time is kept apart. Pure. */
import { pair } from "./headers.js";

/** @typedef {import("./events.js").Header} Header */
/** @typedef {import("./chain.js").Page} Page */

/**
 * A header of the page that differs: was missing, is missing now, or has another value.
 * @typedef {object} Difference
 * @property {string} name
 * @property {string | null} was   null where it was not sent; several of the same name one a line
 * @property {string | null} is
 */

/**
 * @typedef {object} Compared
 * @property {Difference[]} added
 * @property {Difference[]} removed
 * @property {Difference[]} changed
 * @property {Difference[]} noise   what differs with each load, and says nothing
 * @property {Difference[]} way     status, address and source of the page, and each redirect
 */

/** Numbers of requests, clocks and timings. */
const NOISE = new Set(
  `date age cf-ray cf-request-id x-request-id request-id x-correlation-id x-amz-cf-id x-amz-request-id x-amz-id-2
  x-amzn-requestid x-amzn-trace-id x-fastly-request-id x-timer x-served-by x-cache-hits server-timing x-runtime x-response-time
  x-vercel-id x-nf-request-id fly-request-id x-github-request-id cdn-requestid cdn-cachedat x-azure-ref akamai-grn x-iinfo x-hcdn-request-id
  x-styx-req-id x-wpe-request-id x-kinsta-request-id nel report-to x-gateway-request-id x-wp-nonce
  x-ratelimit-remaining x-ratelimit-reset`.split(/\s+/u),
);
const NONCE = /'nonce-[^']*'/giu;

/**
 * What differs between a load and the one before it; nothing where no response of either was seen.
 * @param {Page} now
 * @param {Page} before
 * @returns {Compared}
 */
export function compared(now, before) {
  /** @type {Compared} */
  const all = { added: [], removed: [], changed: [], noise: [], way: [] };
  if (!now.seen || !before.seen) return all;
  all.way = way(now, before);
  const [is, was] = [now, before].map((page) => byName(page.hops.at(-1)?.headers ?? []));
  for (const name of new Set([...is.keys(), ...was.keys()])) {
    const difference = { name, was: was.get(name)?.join("\n") ?? null, is: is.get(name)?.join("\n") ?? null };
    if (difference.was !== difference.is) all[kindOf(difference, [dateOf(was), dateOf(is)])].push(difference);
  }
  return all;
}

/**
 * @param {Difference} difference
 * @param {[number, number]} dates   when each answer was made
 * @returns {"added"|"removed"|"changed"|"noise"}
 */
function kindOf({ name, was, is }, [before, now]) {
  if (was === null) return "added";
  if (is === null) return "removed";
  return NOISE.has(name) || calm(name, was, before) === calm(name, is, now) ? "noise" : "changed";
}

/**
 * A value without what differs with each load.
 * @param {string} name
 * @param {string} value
 * @param {number} date   when the answer was made
 */
function calm(name, value, date) {
  if (name === "expires") return String(Date.parse(value) > date ? Math.round((Date.parse(value) - date) / 60_000) : value);
  if (name === "x-varnish") return String(value.split(/\s+/u).length);
  if (name.startsWith("content-security-policy")) return value.replace(NONCE, "'nonce-'");
  if (name === "set-cookie") return value.split("\n").map(unvalued).sort().join("\n");
  return value.split("\n").sort().join("\n");
}

/**
 * A cookie without its value and its dates: another session, the same rules.
 * @param {string} cookie
 */
function unvalued(cookie) {
  const [[name], ...attributes] = cookie.split(";").map(pair);
  const kept = attributes.map(([each, is]) => [each.toLowerCase(), is.toLowerCase()]).filter(([each]) => each !== "expires");
  return [name, ...kept.map((each) => each.join("=")).sort()].join(";");
}

/**
 * Values by name in lower case, in the order of the response.
 * @param {Header[]} headers
 */
function byName(headers) {
  /** @type {Map<string, string[]>} */
  const all = new Map();
  for (const [name, value] of headers) all.set(name.toLowerCase(), [...(all.get(name.toLowerCase()) ?? []), value.trim()]);
  return all;
}

/** @param {Map<string, string[]>} headers */
function dateOf(headers) {
  return Date.parse(headers.get("date")?.[0] ?? "");
}

/**
 * @param {Page} now
 * @param {Page} before
 * @returns {Difference[]}
 */
function way(now, before) {
  const [is, was] = [now, before].map(steps);
  return Object.keys(is).map((name) => ({ name, was: was[name], is: is[name] })).filter((each) => each.was !== each.is);
}

/**
 * @param {Page} page
 * @returns {Record<string, string | null>}
 */
function steps({ hops }) {
  const last = hops[hops.length - 1];
  const redirects = hops.slice(0, -1).map(({ status, url }) => `${status} ${url}`);
  return { status: String(last.status), ip: last.ip, from: last.from, redirects: redirects.join("\n") || null };
}
