// @ts-check
/** Follows which responses brought the pages that the tabs show, and shows on the toolbar whose sites they are. */
import { NOTHING, pages } from "../lib/chain.js";
import { ofPage, ofRequest } from "../lib/events.js";
import { reason } from "../lib/formats.js";
import { patternOf, readLink } from "../lib/link.js";
import { keep, readAll, verdictOf, watchAll, watchVerdicts } from "../store/pages.js";

// ---- which page a tab shows: what Chrome tells is folded one event after another (lib/chain.js), in the order in which it was told,
// and kept in the session, since the worker may be stopped between any two

/** @typedef {import("../lib/chain.js").State} State */
/** @typedef {import("../lib/events.js").Event} Event */
/** @typedef {import("../lib/events.js").PageEvent} PageEvent */

const AGAIN = { first: 250, last: 10_000 };
/** What the worker was woken for comes first: a tab that was replaced is moved before those that are gone are forgotten. */
const SWEEP = 2_000;

/** Told, and not folded yet. @type {(Event | Promise<Event>)[]} */
const told = [];
/** @type {State | undefined} */
let kept;
let state = NOTHING;
let busy = false;
let wait = AGAIN.first;

/** @param {Event | Promise<Event> | undefined} event */
function tell(event) {
  if (!event) return;
  told.push(event);
  if (!busy) void work();
}

/** Folds what was told and keeps it, until nothing is left; what cannot be kept is kept later, together with what comes then. */
async function work() {
  busy = true;
  try {
    if (!kept) state = kept = await readAll();
    while (told.length || state !== kept) {
      while (told.length) {
        const event = await /** @type {Event | Promise<Event>} */ (told.shift()); // one that cannot be read holds up no other
        state = pages(state, event);
      }
      const now = state;
      await keep(kept, now);
      kept = now;
    }
    if (wait > AGAIN.first) unkept(undefined);
    wait = AGAIN.first;
    busy = false;
  } catch (problem) {
    unkept(problem);
    setTimeout(work, wait);
    wait = Math.min(2 * wait, AGAIN.last);
  }
}

/**
 * With whether the companion may see the responses of that address. The button's click allows it for one tab, until its
 * site is left: then the tab's address can be read, and no permission is listed.
 * @param {PageEvent} event
 * @returns {Promise<PageEvent>}
 */
async function withAllowed(event) {
  if (!/^https?:/u.test(event.url)) return event;
  const allowed = await chrome.permissions.contains({ origins: [patternOf(event.url)] }).catch(() => false);
  return { ...event, allowed: allowed || (await chrome.tabs.get(event.tab).catch(() => undefined))?.url !== undefined };
}

/** Forgets tabs that are gone, should their end have been missed. @returns {Promise<Event>} */
async function open() {
  const tabs = await chrome.tabs.query({});
  return { kind: "open", tabs: [...tabs.flatMap(({ id }) => id ?? []), ...moved] };
}

/** Those that a tab had before it was discarded: they may still wait to be moved. @type {Set<number>} */
const moved = new Set();

const { webRequest, webNavigation, tabs } = chrome;
/** @type {chrome.webRequest.RequestFilter} */
const PAGES = { urls: ["<all_urls>"], types: ["main_frame"] };
/** @type {("responseHeaders" | "extraHeaders")[]} */
const HEADERS = ["responseHeaders", "extraHeaders"];

webRequest.onBeforeRequest.addListener((details) => void tell(ofRequest("request", details)), PAGES);
webRequest.onBeforeRedirect.addListener((details) => tell(ofRequest("redirect", details)), PAGES, HEADERS);
webRequest.onHeadersReceived.addListener((details) => void tell(ofRequest("headers", details)), PAGES, HEADERS);
webRequest.onResponseStarted.addListener((details) => tell(ofRequest("started", details)), PAGES, HEADERS);
webRequest.onCompleted.addListener((details) => tell(ofRequest("completed", details)), PAGES);
webRequest.onErrorOccurred.addListener((details) => tell(ofRequest("failed", details)), PAGES);

webNavigation.onBeforeNavigate.addListener((details) => toldOf("began", details));
webNavigation.onCommitted.addListener((details) => toldOf("committed", details));
webNavigation.onErrorOccurred.addListener((details) => toldOf("unreached", details));
webNavigation.onHistoryStateUpdated.addListener((details) => toldOf("moved", details));
webNavigation.onReferenceFragmentUpdated.addListener((details) => toldOf("moved", details));

/**
 * Tells of a page itself, not of the frames in it.
 * @param {PageEvent["kind"]} kind
 * @param {import("../lib/events.js").PageDetails} details
 */
function toldOf(kind, details) {
  if (details.frameId !== 0) return;
  const event = ofPage(kind, details);
  tell(kind === "committed" || kind === "unreached" ? withAllowed(event) : event);
}

tabs.onRemoved.addListener((tab) => tell({ kind: "removed", tab }));
tabs.onReplaced.addListener((tab, was) => {
  moved.add(was);
  tell({ kind: "replaced", tab, was });
});
setTimeout(() => tell(open()), SWEEP);

// ---- whose the site is, at a glance: Chrome takes the badge away with each navigation, so it is set for each page anew

/** @typedef {import("../store/pages.js").Judged} Judged */
/** @typedef {{sign: string, colour: keyof typeof COLOURS, title: string}} Badge */

/** As the console's --good, --bad, --edge and --brass are on light ground. */
const COLOURS = { good: "#1b6b41", bad: "#b0261e", unknown: "#595f66", connect: "#805c08" };
const NAMES = 3;

const say = (/** @type {string} */ key, /** @type {string[]} */ ...values) => chrome.i18n.getMessage(key, values);
/** Set one after another: what was read lastPaint is what stays. */
let lastPaint = Promise.resolve();
/** Whether what was seen cannot be kept. */
let lost = false;

watchAll((tab) => paint(tab));
watchVerdicts(paintAll);
chrome.permissions.onAdded.addListener(paintRest);
chrome.permissions.onRemoved.addListener(paintRest);
chrome.runtime.onInstalled.addListener(paintRest);
chrome.runtime.onStartup.addListener(paintRest);

/**
 * Shows on the toolbar what is known of a tab's page.
 * @param {number} tab
 */
export function paint(tab) {
  lastPaint = lastPaint.then(async () => show(tab, await badgeOf(tab))).catch((problem) => console.warn("badge", tab, problem));
  return lastPaint;
}

/**
 * Says that what was seen cannot be kept; undefined when it can be again.
 * @param {unknown} problem
 */
export function unkept(problem) {
  if (problem !== undefined) console.warn("not kept, tried again:", problem);
  lost = problem !== undefined;
  void paintAll();
}

/**
 * Shows something else for a moment.
 * @param {number} tab
 * @param {Badge} badge
 */
export async function flash(tab, badge) {
  await show(tab, badge);
  setTimeout(() => paint(tab), 2_000);
}

async function paintAll() {
  for (const { id } of await chrome.tabs.query({})) if (id !== undefined) paint(id);
}

/** For tabs of which nothing is known, such as those that were there before the companion. */
async function paintRest() {
  await chrome.action.setTitle({ title: (await rest()).title });
}

/** What the button says where no page was seen yet: what to do. @returns {Promise<Badge>} */
async function rest() {
  const everywhere = await chrome.permissions.contains({ origins: ["<all_urls>"] });
  return { sign: "", colour: "unknown", title: say(everywhere ? "badge_reload" : "badge_click") };
}

/**
 * @param {number} tab
 * @returns {Promise<Badge>}
 */
async function badgeOf(tab) {
  if (lost) return { sign: "!", colour: "bad", title: say("badge_unkept") };
  const known = await verdictOf(tab);
  if (!known.page) return rest();
  const link = readLink(known.page.at);
  return "code" in link ? { sign: "+", colour: "connect", title: say("badge_connect", link.origin) } : judged(known);
}

/**
 * @param {Judged} known
 * @returns {Badge}
 */
function judged({ page, verdict }) {
  const { state, doubts } = verdict;
  const unseen = page.seen ? [] : [reason(page, (key, values = []) => say(key, ...values))];
  const bare = state === "unknown" && (page.why === "not permitted" || page.why === "not from the web");
  const doubted = doubts.some(({ why }) => why === "conflict" || why === "address" || why === "elsewhere");
  const title = [...(bare ? [] : sentences(verdict)), ...unseen, ...(doubted ? [say("badge_doubt")] : [])].join("\n");
  const sign = bare ? "" : { ours: "✓", not_ours: "✕", unknown: "?" }[state];
  return { sign, colour: state === "ours" ? "good" : state === "not_ours" ? "bad" : "unknown", title };
}

/** @param {import("../lib/hosts.js").Verdict} verdict */
function sentences({ state, ours, hosts }) {
  const named = (/** @type {string} */ kind) => list(hosts.filter((each) => each.kind === kind).map((each) => each.name));
  const [host, cdn] = [state === "ours" ? list(ours) : named("host"), named("cdn")];
  const first = state === "ours" ? say("badge_ours", host) : state === "not_ours" ? say("badge_not_ours", host) : host ? say("badge_perhaps", host) : say("badge_unknown");
  return cdn ? [first, say("badge_behind", cdn)] : [first];
}

/** @param {string[]} names */
function list(names) {
  return names.length > NAMES ? `${names.slice(0, NAMES).join(", ")}, …` : names.join(", ");
}

/**
 * @param {number} tabId
 * @param {Badge} badge
 */
async function show(tabId, { sign, colour, title }) {
  const { action } = chrome;
  const all = [action.setBadgeText({ tabId, text: sign }), action.setTitle({ tabId, title })];
  if (sign) all.push(action.setBadgeBackgroundColor({ tabId, color: COLOURS[colour] }), action.setBadgeTextColor({ tabId, color: "#ffffff" }));
  await Promise.allSettled(all);
}
