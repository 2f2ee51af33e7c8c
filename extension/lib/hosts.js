// @ts-check
/**
 * Who hosts a site, and whether it is ours: rules x evidence -> verdict, with the reasons and the doubts. The host and the
 * CDN before it are two layers: a CDN says nothing about the host. Pure; the same as hosts.py.
 */
import { address, holds, network } from "./cidr.js";
import { plain } from "./pattern.js";

/** @typedef {import("./ruleset.js").Rule} Rule */
/** @typedef {import("./ruleset.js").Kind} Kind */

/**
 * What is known of a page. All of it comes from outside.
 * @typedef {object} Evidence
 * @property {string} url
 * @property {boolean} seen       whether its response was: else status, ip and headers do not count
 * @property {string} [why]       why it was not seen
 * @property {number} [status]
 * @property {string} [ip]
 * @property {string} [source]    where the response came from: network, cache, ...
 * @property {(readonly [string, string])[]} [headers]
 * @property {string[]} [a]       its addresses in the DNS, as the server looked them up
 * @property {string[]} [aaaa]
 * @property {string[]} [cname]
 * @property {string[]} [ns]
 * @property {string} [site]      the name of the site in our registry that has this host
 */

/** @typedef {{signal: "header" | "ip" | "name" | "site", what: string, says: string}} Reason */
/** @typedef {{name: string, kind: Kind, ours: boolean, confidence: number, about: string, evidence: Reason[]}} Host */

/**
 * What lowers trust in a verdict: `conflict` (several hosts are named), `address` (headers name one that has no such
 * address), `elsewhere` (a site of ours is answered by another host), `cdn` (the CDN answered itself, the host's headers
 * may be missing), `cache` (the headers are as old as the copy), `unseen`.
 * @typedef {{why: "conflict" | "address" | "elsewhere" | "cdn" | "cache" | "unseen", names: string[], what: string}} Doubt
 */

/** @typedef {{state: "ours" | "not_ours" | "unknown", hosts: Host[], ours: string[], doubts: Doubt[]}} Verdict */
/** @typedef {{host: string, ip: number[] | undefined, headers: Map<string, string[]>, addresses: [string, number[]][]}} Told */
/** @typedef {Host & {claimed: Rule[]}} Found   with the rules that its headers match */

export const SURE = 3;
const LIKELY = 2;
const MOST = { values: 8, addresses: 32, names: 32 };
/** Networks that nobody is known by: behind a proxy, a tunnel or in a hosts file the address says nothing of the site. */
const NEAR = [
  "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15",
  "::/127", "fc00::/7", "fe80::/10",
].flatMap((each) => network(each));

/**
 * What is known of a page that lib/chain.js has put together, with what the server said of its host.
 * @param {{url: string, seen: boolean, why: string, hops: {status: number, ip: string, from: string, headers: (readonly [string, string])[]}[]}} page
 * @param {{a?: string[], aaaa?: string[], cname?: string[], ns?: string[], site?: string}} [asked]
 * @returns {Evidence}
 */
export function evidenceOf(page, asked = {}) {
  const last = page.hops[page.hops.length - 1];
  const known = { url: page.url, seen: page.seen && last !== undefined, why: page.why, ...asked };
  return last ? { ...known, status: last.status, ip: last.ip, source: last.from, headers: last.headers } : known;
}

/**
 * @param {Rule[]} rules
 * @param {Evidence} evidence
 * @returns {Verdict}
 */
export function verdict(rules, evidence) {
  const told = read(evidence);
  const found = matched(rules, evidence, told);
  const doubts = [...conflicts(found), ...misplaced(found, evidence, told), ...others(found, evidence)];
  for (const each of doubts) if (each.why === "conflict" || each.why === "address") lower(found, each);
  const ours = found.filter((each) => each.ours).map((each) => each.name);
  const foreign = found.some((each) => each.kind === "host" && each.confidence === SURE);
  const hosts = found.map(({ claimed, ...host }) => host).sort((one, other) => rank(one) - rank(other));
  return { state: ours.length > 0 ? "ours" : foreign ? "not_ours" : "unknown", hosts, ours: [...new Set(ours)], doubts };
}

/**
 * @param {Evidence} evidence
 * @returns {Told}
 */
function read(evidence) {
  /** @type {Map<string, Set<string>>} */
  const headers = new Map();
  for (const [spelled, value] of evidence.seen ? evidence.headers ?? [] : []) {
    const name = spelled.replace(/[A-Z]/g, (each) => each.toLowerCase());
    headers.set(name, (headers.get(name) ?? new Set()).add(plain(value)));
  }
  const ip = evidence.seen ? evidence.ip ?? "" : "";
  const looked = [...new Set([...(ip ? [ip] : []), ...(evidence.a ?? []), ...(evidence.aaaa ?? [])])].slice(0, MOST.addresses);
  return {
    host: hostOf(evidence.url),
    ip: address(ip),
    headers: new Map([...headers].map(([name, values]) => [name, [...values].sort().slice(0, MOST.values)])),
    addresses: looked.flatMap((each) => {
      const bytes = address(each);
      return bytes ? [/** @type {[string, number[]]} */ ([each, bytes])] : [];
    }),
  };
}

/**
 * The hosts and CDNs that something speaks for, in the order of their rules; a site of the registry first.
 * @param {Rule[]} rules
 * @param {Evidence} evidence
 * @param {Told} told
 */
function matched(rules, evidence, told) {
  /** @type {Map<string, Found>} */
  const found = new Map();
  for (const rule of rules) {
    const reasons = [...byHeader(rule, told), ...byAddress(rule, told), ...byName(rule, evidence, told)];
    if (reasons.length === 0) continue;
    const key = `${rule.kind} ${rule.name}`;
    const host = found.get(key) ?? { name: rule.name, kind: rule.kind, ours: false, confidence: 0, about: rule.about, evidence: [], claimed: [] };
    host.ours ||= rule.ours;
    host.confidence = Math.max(host.confidence, rule.confidence);
    if (reasons[0].signal === "header") host.claimed.push(rule);
    host.evidence.push(...reasons.filter((each) => !host.evidence.some((known) => known.signal === each.signal && known.what === each.what && known.says === each.says)));
    found.set(key, host);
  }
  const all = [...found.values()];
  for (const host of all) if (new Set(host.evidence.map((each) => each.signal)).size > 1) host.confidence = Math.min(SURE, host.confidence + 1);
  return evidence.site ? [registered(evidence.site, told.host), ...all] : all;
}

/**
 * @param {string} site
 * @param {string} host
 * @returns {Found}
 */
function registered(site, host) {
  return { name: site, kind: "host", ours: true, confidence: SURE, about: "", evidence: [{ signal: "site", what: host, says: site }], claimed: [] };
}

/**
 * @param {Rule} rule
 * @param {Told} told
 * @returns {Reason[]}
 */
function byHeader(rule, told) {
  return rule.headers.flatMap(([name, pattern]) => {
    const value = told.headers.get(name)?.find((each) => !pattern || pattern.test(each));
    return value === undefined ? [] : [{ signal: "header", what: name, says: value }];
  });
}

/**
 * @param {Rule} rule
 * @param {Told} told
 * @returns {Reason[]}
 */
function byAddress(rule, told) {
  return told.addresses.flatMap(([written, bytes]) => {
    const within = rule.networks.find((each) => holds(each.network, bytes));
    return within ? [{ signal: "ip", what: written, says: within.written }] : [];
  });
}

/**
 * @param {Rule} rule
 * @param {Evidence} evidence
 * @param {Told} told
 * @returns {Reason[]}
 */
function byName(rule, evidence, told) {
  /** @type {[string, string[], string[]][]} */
  const all = [["host", rule.names, [told.host]], ["cname", rule.names, evidence.cname ?? []], ["ns", rule.ns, evidence.ns ?? []]];
  return all.flatMap(([what, wanted, names]) =>
    names.slice(0, MOST.names).map(cleaned).filter((name) => wanted.some((each) => isNamed(each, name))).map((says) => ({ signal: /** @type {const} */ ("name"), what, says })),
  );
}

/**
 * Two hosts that both are likely cannot both be right: one of them passes the other's answers on, or somebody forged them.
 * What hints at another host contradicts nobody; what hints at ours decides, so it counts.
 * @param {Found[]} found
 * @returns {Doubt[]}
 */
function conflicts(found) {
  const likely = found.filter((each) => each.kind === "host" && (each.ours || each.confidence >= LIKELY) && !isRegistered(each));
  const several = likely.length > 1 && likely.some((each) => !each.ours);
  return several ? [{ why: "conflict", names: likely.map((each) => each.name), what: "" }] : [];
}

/**
 * Headers that name somebody all of whose addresses are known, at another address that nobody else found explains.
 * @param {Found[]} found
 * @param {Evidence} evidence
 * @param {Told} told
 * @returns {Doubt[]}
 */
function misplaced(found, evidence, told) {
  const { ip } = told;
  if (!ip || isNear(ip) || found.some((each) => each.evidence.some((one) => one.signal === "ip" && one.what === evidence.ip))) return [];
  const names = found.filter((each) => each.claimed.some((rule) => rule.complete)).map((each) => each.name);
  return names.map((name) => ({ why: "address", names: [name], what: evidence.ip ?? "" }));
}

/**
 * The doubts that lower no confidence: they say what may be missing.
 * @param {Found[]} found
 * @param {Evidence} evidence
 * @returns {Doubt[]}
 */
function others(found, evidence) {
  /** @type {Doubt[]} */
  const doubts = [];
  const hosts = found.filter((each) => each.kind === "host" && !isRegistered(each));
  const otherwise = found.some((each) => each.ours) && !hosts.some((each) => each.ours);
  const cdns = found.filter((each) => each.kind === "cdn");
  const foreign = hosts.filter((each) => !each.ours && each.confidence === SURE).map((each) => each.name);
  if (otherwise && foreign.length > 0) doubts.push({ why: "elsewhere", names: foreign, what: evidence.site ?? "" });
  if (!evidence.seen) return [...doubts, { why: "unseen", names: [], what: evidence.why ?? "" }];
  if (hosts.length === 0 && cdns.length > 0 && (evidence.status ?? 0) >= 400) doubts.push({ why: "cdn", names: cdns.map((each) => each.name), what: `${evidence.status}` });
  if (evidence.source === "cache") doubts.push({ why: "cache", names: [], what: "" });
  return doubts;
}

/**
 * @param {Found[]} found
 * @param {Doubt} doubt
 */
function lower(found, doubt) {
  for (const host of found) {
    const meant = doubt.names.includes(host.name) && !isRegistered(host) && (doubt.why === "address" ? host.claimed.some((rule) => rule.complete) : host.kind === "host");
    if (meant) host.confidence = Math.max(1, host.confidence - 1);
  }
}

/** @param {Found} host */
function isRegistered(host) {
  return host.evidence[0].signal === "site";
}

/**
 * Ours first, then hosts, then CDNs; each with the surest first.
 * @param {Host} host
 */
function rank(host) {
  return (host.ours ? 0 : host.kind === "host" ? 10 : 20) - host.confidence;
}

/** @param {number[]} bytes */
function isNear(bytes) {
  return NEAR.some((each) => typeof each !== "string" && holds(each, bytes));
}

/** @param {string} url */
function hostOf(url) {
  try {
    return cleaned(new URL(url).hostname);
  } catch {
    return "";
  }
}

/**
 * A name as it is compared.
 * @param {string} name
 */
function cleaned(name) {
  return plain(name).replace(/[A-Z]/g, (each) => each.toLowerCase()).replace(/\.$/, "");
}

/**
 * @param {string} wanted   `*.` stands for everything below
 * @param {string} name
 */
function isNamed(wanted, name) {
  return wanted.startsWith("*.") ? name.endsWith(wanted.slice(1)) && name.length > wanted.length - 1 : name === wanted;
}
