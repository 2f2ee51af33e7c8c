// @ts-check
/** What the tabs show (lib/chain.js), a key a tab, and whose sites these are. It lives as long as the browser runs, and outlives the worker. */
import { loadBefore, MOST, NOTHING, pageOf } from "../lib/chain.js";
import { evidenceOf, verdict } from "../lib/hosts.js";
import { hostOf } from "../lib/link.js";
import { ruleset } from "../lib/ruleset.js";
import { policySoon, watch as watchPolicy } from "./policy.js";
import { siteNames, team, text, texts, watch as watchTeam } from "./team.js";

/** @typedef {import("../lib/chain.js").State} State */
/** @typedef {import("../lib/chain.js").Tab} Tab */
/** @typedef {import("../lib/chain.js").Page} Page */

const KEY = /^tab (\d+)$/u;

/** @param {number | string} tab */
const key = (tab) => `tab ${tab}`;

/** @returns {Promise<State>} */
export async function readAll() {
  const all = Object.entries(await chrome.storage.session.get());
  return { tabs: Object.fromEntries(all.flatMap(([name, tab]) => (KEY.test(name) ? [[name.slice(key("").length), tab]] : []))) };
}

/**
 * Writes the tabs that differ, and no others: an event changes one.
 * @param {State} before   what is written
 * @param {State} after
 */
export async function keep(before, after) {
  const changed = Object.entries(after.tabs).filter(([id, tab]) => tab !== before.tabs[id]);
  const gone = Object.keys(before.tabs).filter((id) => !after.tabs[id]);
  if (changed.length) await chrome.storage.session.set(Object.fromEntries(changed.map(([id, tab]) => [key(id), tab])));
  if (gone.length) await chrome.storage.session.remove(gone.map(key));
}

/**
 * What a tab shows, and the load of the same address before it; undefined where nothing was told of it yet, also while the
 * tab is elsewhere already: a page is never taken for another one.
 * @param {number} tab
 * @returns {Promise<{page: Page | undefined, before: Page | undefined}>}
 */
export async function pageIn(tab) {
  const [all, open] = await Promise.all([chrome.storage.session.get(key(tab)), chrome.tabs.get(tab).catch(() => undefined)]);
  const kept = /** @type {Record<string, Tab>} */ (all)[key(tab)];
  const state = kept ? { tabs: { [tab]: kept } } : NOTHING;
  const page = pageOf(state, tab);
  return page && isAt(page, open?.url) ? { page, before: loadBefore(state, tab) } : { page: undefined, before: undefined };
}

/**
 * Whether a page may be what a tab shows; its address is not told without a permission.
 * @param {Page} page
 * @param {string} [url]
 */
function isAt(page, url) {
  return !url || !hostOf(url) || bare(url) === bare(page.at);
}

/**
 * An address as far as everybody tells it alike.
 * @param {string} url
 */
function bare(url) {
  if (!URL.canParse(url)) return url;
  const { origin, pathname, search } = new URL(url);
  return (origin + pathname + search).slice(0, MOST.url / 2);
}

/**
 * Acts whenever a tab shows another page, or more is known of it.
 * @param {number} tab
 * @param {() => void} act
 * @returns {() => void}   ends it
 */
export function watch(tab, act) {
  return watchAll((changed) => changed === tab && act());
}

/**
 * The same for every tab.
 * @param {(tab: number) => void} act
 * @returns {() => void}
 */
export function watchAll(act) {
  /** @param {Record<string, chrome.storage.StorageChange>} changes */
  const heard = (changes) => {
    for (const [name, { oldValue, newValue }] of Object.entries(changes)) {
      const [, tab] = KEY.exec(name) ?? [];
      if (tab && differs(/** @type {any} */ (oldValue), /** @type {any} */ (newValue))) act(Number(tab));
    }
  };
  chrome.storage.session.onChanged.addListener(heard);
  return () => chrome.storage.session.onChanged.removeListener(heard);
}

/**
 * Whether another page is shown, or more of it is known: what is still pending shows nowhere.
 * @param {Tab} [was]
 * @param {Tab} [is]
 */
function differs(was, is) {
  return JSON.stringify(was?.page ?? null) !== JSON.stringify(is?.page ?? null);
}

// ---- whose a site is, for badge, popup and panel alike: nobody is asked here, so it works offline

/** @typedef {import("../lib/hosts.js").Evidence} Evidence */
/** @typedef {import("../lib/hosts.js").Verdict} Verdict */

/** What a server said of a host: of its DNS, and which site of ours it is. @typedef {Pick<Evidence, "a"|"aaaa"|"cname"|"ns"|"site">} Answer */
/** @typedef {{page: Page, before: Page | undefined, asked: Answer, evidence: Evidence, verdict: Verdict}} Judged */

/** Answers of a sort that are kept. */
const ANSWERS = 64;

/** @param {string} host */
const askedKey = (host) => `asked ${host}`;

/**
 * @param {number | Page} shown   a tab, or a page
 * @param {string} [at]           what the tab likely shows: what is kept of its host is read at once then
 * @returns {Promise<Judged | {[Each in keyof Judged]: undefined}>}
 */
export async function verdictOf(shown, at = "") {
  const likely = hostOf(at) ?? "";
  const known = Promise.all([rules(), siteNames(), askedOf(likely)]);
  const { page, before } = typeof shown === "number" ? await pageIn(shown) : { page: shown, before: undefined };
  if (!page) return { page: undefined, before: undefined, asked: undefined, evidence: undefined, verdict: undefined };
  const host = hostOf(page.url) ?? "";
  const [ready, names, early] = await known;
  const asked = host === likely ? early : await askedOf(host);
  const evidence = evidenceOf(page, names.has(host) ? { site: host, ...asked } : asked);
  return { page, before, asked, evidence, verdict: verdict(ready.rules, evidence) };
}

/**
 * Acts whenever another verdict may be due for a page that did not change: other rules, other sites, an answer.
 * @param {() => void} act
 * @returns {() => void}   ends it
 */
export function watchVerdicts(act) {
  /** @param {Record<string, unknown>} changes */
  const heard = (changes) => Object.keys(changes).some((name) => name.startsWith(askedKey(""))) && act();
  chrome.storage.session.onChanged.addListener(heard);
  const ends = [watchPolicy(act), watchTeam(act), () => chrome.storage.session.onChanged.removeListener(heard)];
  return () => ends.forEach((end) => end());
}

/**
 * What a server said of a host, since the browser was started.
 * @param {string} host
 * @returns {Promise<Answer>}
 */
export async function askedOf(host) {
  if (!host) return {};
  return /** @type {Record<string, Answer>} */ (await chrome.storage.session.get(askedKey(host)))[askedKey(host)] ?? {};
}

/**
 * Keeps what a server said of a host, as far as it has the shape that it should have.
 * @param {string} host
 * @param {any} answer
 */
export async function keepAsked(host, answer) {
  const [a, aaaa, cname, ns] = ["a", "aaaa", "cname", "ns"].map((each) => texts(answer?.[each]).slice(0, ANSWERS));
  await chrome.storage.session.set({ [askedKey(host)]: { a, aaaa, cname, ns, site: text(answer?.site) || undefined } });
}

// ---- the host rules in force: the company's, else the team's, else the built-in ones

/** @typedef {"managed" | "team" | "built in"} From */
/** @typedef {import("../lib/ruleset.js").Refused & {from: From}} Refused */
/**
 * @typedef {object} Rules
 * @property {import("../lib/ruleset.js").Rule[]} rules
 * @property {From} from
 * @property {string} version       empty where the set has none
 * @property {Refused[]} refused    of this set and of stronger ones of which nothing was left
 */

/** The set in force, as long as nothing changes. @type {Promise<Rules> | undefined} */
let inUse;
let watched = false;

/** @returns {Promise<Rules>} */
export function rules() {
  if (!watched) for (const watch of [watchPolicy, watchTeam]) watch(() => (inUse = undefined));
  watched = true;
  inUse ??= inForce();
  inUse.catch(() => (inUse = undefined));
  return inUse;
}

/** The first set that has a rule which can be used. @returns {Promise<Rules>} */
async function inForce() {
  /** @type {Refused[]} */
  const refused = [];
  const read = await Promise.all(SETS.map((each) => each.read(refused)));
  for (const [place, { from }] of SETS.entries()) {
    const written = read[place];
    if (written === undefined || written === null) continue;
    const { list, version } = opened(written);
    const set = ruleset(list);
    refused.push(...set.refused.map((each) => ({ ...each, from })));
    if (set.rules.length) return { rules: set.rules, from, version, refused };
  }
  return { rules: [], from: "built in", version: "", refused };
}

/** @type {{from: From, read: (refused: Refused[]) => Promise<unknown>}[]} */
const SETS = [
  { from: "managed", read: ofPolicy },
  { from: "team", read: async () => (await team())?.rules },
  { from: "built in", read: async () => (await fetch(chrome.runtime.getURL("rules/hosts.json"))).json() },
];

/** @param {Refused[]} refused */
async function ofPolicy(refused) {
  const { rules: written } = await policySoon();
  if (typeof written !== "string" || !written.trim()) return written || undefined;
  try {
    return JSON.parse(written);
  } catch {
    refused.push({ rule: "", field: "", why: "json", what: "", from: "managed" });
  }
}

/**
 * A set with its version, or a mere list.
 * @param {unknown} written
 * @returns {{list: unknown, version: string}}
 */
function opened(written) {
  if (Array.isArray(written) || typeof written !== "object" || written === null) return { list: written, version: "" };
  const { rules: list, version } = /** @type {{rules?: unknown, version?: unknown}} */ (written);
  return { list, version: typeof version === "number" || typeof version === "string" ? String(version).slice(0, 40) : "" };
}
