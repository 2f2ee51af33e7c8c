// @ts-check
/** What was set: by the company's policy, here (and in the same person's other browsers), by the team's server, and built in. */
import { KINDS, kindOf as built } from "../composer/editors.js";
import { domainOf, editorOf, exported, joined, kindOf } from "../lib/settings.js";
import { policy, watch as watchPolicy } from "./policy.js";
import { team, watch as watchTeam } from "./team.js";

/** @typedef {import("../lib/settings.js").Settings} Settings */
/** @typedef {import("../lib/settings.js").Editor} Editor */
/** @typedef {import("../lib/settings.js").Why} Why */
/** @typedef {{ok: true} | {ok: false, why: Why}} Kept */

/** The keys in `sync` that are a person's own settings. */
const OWN = ["server", "trusted", "editors", "notes"];

/** What counts, from where each comes, and what was left out. @returns {Promise<Settings>} */
export async function settings() {
  const [managed, sync, connected] = await Promise.all([policy(), chrome.storage.sync.get(OWN), team()]);
  const { server, trusted } = connected ?? {};
  return joined([
    { from: "managed", values: managed },
    { from: "sync", values: sync },
    { from: "team", values: connected ? { server, trusted } : undefined },
  ]);
}

/** What the part in the page is told: never more. */
export async function composer() {
  const [{ trusted, editors, notes }, connected] = await Promise.all([settings(), team()]);
  const kinds = editors.map((each) => kindOf(each, built(new URL(each.origin).hostname, KINDS)));
  return { trusted: [...new Set(trusted.map((each) => each.domain))], kinds, notes: notes.value, connected: connected !== null };
}

/**
 * Keeps a choice of who uses this browser; undefined takes it back.
 * @param {"server" | "trusted" | "editors" | "notes"} name
 * @param {unknown} value
 * @returns {Promise<Kept>}
 */
export function choose(name, value) {
  return alone(() => (value === undefined ? chrome.storage.sync.remove(name) : chrome.storage.sync.set({ [name]: value })));
}

/** @param {string} domain   trusted from now on, with all below it */
export async function trust(domain) {
  const found = domainOf(domain);
  if ("why" in found) return false;
  return (await changeTrusted((mine) => (mine.includes(found.domain) ? mine : [...mine, found.domain]))).ok;
}

/**
 * @param {(mine: string[]) => string[]} change   of the domains trusted here
 * @returns {Promise<Kept>}
 */
export function changeTrusted(change) {
  return changeList("trusted", change, (each) => "why" in domainOf(each));
}

/**
 * @param {(mine: Editor[]) => Editor[]} change   of the editors set here
 * @returns {Promise<Kept>}
 */
export function changeEditors(change) {
  return changeList("editors", change, (each) => "why" in editorOf(each));
}

/**
 * What this version cannot use stays, since a newer one in another browser may.
 * @template Each
 * @param {"trusted" | "editors"} name
 * @param {(mine: Each[]) => Each[]} change
 * @param {(each: unknown) => boolean} isForeign
 * @returns {Promise<Kept>}
 */
function changeList(name, change, isForeign) {
  return alone(async () => {
    const { [name]: written } = await chrome.storage.sync.get(name);
    const foreign = Array.isArray(written) ? written.filter(isForeign) : [];
    const mine = /** @type {Each[]} */ ((await own())[name] ?? []);
    await chrome.storage.sync.set({ [name]: [...change(mine), ...foreign] });
  });
}

/** What of a person's own settings can be used, in the shape in which it is kept. */
export async function own() {
  return exported(joined([{ from: "sync", values: await chrome.storage.sync.get(OWN) }]));
}

/**
 * Puts others in the place of a person's own settings.
 * @param {Record<string, unknown>} values   as `own` gives them
 * @returns {Promise<Kept>}
 */
export function replace(values) {
  return alone(async () => {
    const missing = OWN.filter((each) => !(each in values));
    await chrome.storage.sync.set(values);
    await chrome.storage.sync.remove(missing);
  });
}

/**
 * @param {() => void} act   when something else may count
 * @returns {() => void}   ends it
 */
export function watch(act) {
  /** @param {Record<string, unknown>} changes */
  const heard = (changes) => OWN.some((each) => each in changes) && act();
  chrome.storage.sync.onChanged.addListener(heard);
  const ends = [watchPolicy(act), watchTeam(act), () => chrome.storage.sync.onChanged.removeListener(heard)];
  return () => ends.forEach((end) => end());
}

/**
 * One change after the other, in whatever page or worker they are made.
 * @param {() => Promise<void>} act
 * @returns {Promise<Kept>}
 */
function alone(act) {
  return navigator.locks.request("settings", () =>
    act().then(
      () => ({ ok: /** @type {const} */ (true) }),
      () => ({ ok: /** @type {const} */ (false), why: /** @type {const} */ ("full") }),
    ),
  );
}
