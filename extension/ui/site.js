// @ts-check
/** Whose the site of a tab is, at a glance and with what speaks for it: the host and the CDN before it are kept apart. */
import { reason, visible } from "../lib/formats.js";
import { hostOf } from "../lib/link.js";
import { keepAsked, verdictOf, watch as watchPage, watchVerdicts } from "../store/pages.js";
import { ask } from "../store/team.js";
import { el, folded, live, redrawn, say } from "./parts.js";

/** @typedef {import("../lib/hosts.js").Host} Host */
/** @typedef {import("../lib/hosts.js").Reason} Reason */
/** @typedef {import("../lib/hosts.js").Doubt} Doubt */
/** @typedef {import("../lib/hosts.js").Verdict} Verdict */
/** @typedef {import("../store/pages.js").Answer} Answer */

export const SIGNS = { ours: "✓", not_ours: "✕", unknown: "?" };
/** How sure, as lib/hosts.js counts it. */
export const SURE = ["", "site_hint", "site_likely", "site_sure"];

/**
 * Draws the verdict on the site of a tab, and again whenever something else is known.
 * @param {Element} container
 * @param {chrome.tabs.Tab} tab
 * @returns {() => void}   ends it
 */
export function drawSite(container, tab) {
  return redrawn(container, [(act) => watchPage(Number(tab.id), act), watchVerdicts], () => site(tab));
}

/** @param {chrome.tabs.Tab} tab */
async function site(tab) {
  const { page, asked, verdict } = await verdictOf(Number(tab.id), tab.url);
  const host = hostOf(page?.url ?? "");
  return [
    verdictHead(verdict),
    !page?.seen && (await unseen(tab, page)),
    verdict && layers(verdict),
    verdict && doubts(verdict),
    host !== undefined && asked && names(host, asked),
  ];
}

/**
 * Sign, word, and the sentence that says why.
 * @param {Verdict | undefined} verdict
 */
function verdictHead(verdict) {
  const state = verdict?.state ?? "unknown";
  return el("section", { class: `verdict ${state}` },
    el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state]),
    el("div", {}, el("h2", {}, say(`site_${state}`)), el("p", {}, verdict ? why(verdict) : say("site_nothing_yet"))));
}

/**
 * What decided, in a sentence.
 * @param {Verdict} verdict
 */
export function why({ state, hosts, doubts }) {
  if (state !== "unknown") {
    const decided = hosts.find((each) => (state === "ours" ? each.ours : each.kind === "host" && each.confidence === SURE.length - 1)) ?? hosts[0];
    const { signal, what, says } = decided.evidence[0];
    return say(`site_${state === "ours" && signal === "site" ? "registered" : `${state}_by_${signal}`}`, [decided.name, shown(signal === "name" ? says : what)].map(shown));
  }
  const [host] = hosts.filter((each) => each.kind === "host");
  const cdns = hosts.filter((each) => each.kind === "cdn").map((each) => shown(each.name));
  if (host) return say("site_perhaps", [shown(host.name)]);
  if (cdns.length) return say("site_only_cdn", [listed(cdns)]);
  return say(doubts.some((each) => each.why === "unseen") ? "site_unseen" : "site_no_sign");
}

/** @param {Verdict} verdict */
function layers({ hosts }) {
  const hidden = hosts.length > 0 && !hosts.some((each) => each.kind === "host");
  const lacking = el("li", { class: "layer" }, el("span", { class: "kind" }, say("site_host")), el("span", { class: "quiet" }, say("site_host_hidden")));
  return hosts.length > 0 && el("ul", { class: "layers" }, hidden && lacking, hosts.map(layer));
}

/** @param {Host} host */
function layer(host) {
  const registered = host.evidence[0]?.signal === "site";
  return el("li", {}, el("details", { "data-key": `${host.kind} ${host.name}` },
    el("summary", { class: "layer" },
      el("span", { class: "kind" }, say(registered ? "panel_site" : `site_${host.kind}`)),
      el("b", {}, shown(host.name)),
      host.ours && el("span", { class: "tag good" }, say("site_ours")),
      el("span", { class: "sure" }, meter(host.confidence), say(SURE[host.confidence] ?? SURE[1]))),
    el("ul", { class: "bullets" }, host.evidence.map((each) => el("li", {}, evidence(each)))),
    /^https:\/\//u.test(host.about) && el("p", { class: "quiet" }, el("a", { href: host.about, target: "_blank", rel: "noreferrer noopener" }, say("site_about", [shown(host.name)])))));
}

/**
 * How sure, as blocks: as many as it weighs.
 * @param {number} confidence
 */
function meter(confidence) {
  return el("svg", { class: "meter", viewBox: "0 0 20 6", "aria-hidden": "true" },
    [1, 2, 3].map((each) => el("rect", { class: each <= confidence ? "is-full" : "", x: 7 * each - 6.5, y: 0.5, width: 5, height: 5 })));
}

/** @param {Reason} reason */
function evidence({ signal, what, says }) {
  const key = signal === "name" ? `site_by_${what}` : `site_by_${signal}`;
  if (signal === "header") return [say(key, [shown(what)]), " ", el("code", {}, folded(visible(says)))];
  return say(key, signal === "name" ? [shown(says)] : [shown(what), shown(says)]);
}

/** @param {Verdict} verdict */
function doubts({ doubts, ours }) {
  const told = doubts.filter((each) => each.why !== "unseen").map((each) => doubt(each, ours));
  return told.length > 0 && el("section", { class: "notice warn" }, el("h3", {}, say("site_doubts")), el("ul", { class: "bullets" }, told.map((each) => el("li", {}, each))));
}

/**
 * @param {Doubt} doubt
 * @param {string[]} ours
 */
function doubt({ why: kind, names, what }, ours) {
  const all = listed(names.map(shown));
  if (kind === "elsewhere") return say("doubt_elsewhere", [shown(what || ours[0] || ""), all]);
  return say(`doubt_${kind}`, [all, shown(what)]);
}

// ---- names in the DNS: asked for by a press alone

/**
 * @param {string} host
 * @param {Answer} asked
 */
function names(host, asked) {
  const lines = /** @type {const} */ (["a", "aaaa", "cname", "ns"]).flatMap((kind) => (asked[kind]?.length ? [{ kind, found: asked[kind] }] : []));
  const known = asked.a !== undefined;
  const problem = el("p", { class: "error", hidden: true });
  const button = el("button", { type: "button", class: "small", onclick: (/** @type {any} */ { currentTarget }) => look(host, currentTarget, problem) }, say(known ? "site_ask_again" : "site_ask"));
  return el("section", { class: "names" },
    known && el("h3", {}, say("site_names", [shown(host)])),
    known && lines.length === 0 && el("p", { class: "quiet" }, say("site_names_none")),
    lines.length > 0 && el("dl", { class: "facts" }, lines.flatMap(({ kind, found }) => [el("dt", {}, kind.toUpperCase()), el("dd", {}, found.map((each) => el("div", {}, el("code", {}, visible(each)))))])),
    el("div", { class: "actions" }, button, !known && el("small", {}, say("site_ask_note"))),
    problem);
}

/**
 * @param {string} host
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} problem
 */
async function look(host, button, problem) {
  button.disabled = true;
  problem.hidden = true;
  const answer = await ask(`/api/companion/names?host=${encodeURIComponent(host)}`);
  button.disabled = false;
  if (answer.ok) {
    await keepAsked(host, answer.data);
    return live(say("site_asked", [host]));
  }
  problem.textContent = [say(answer.problem.say, answer.problem.values), answer.problem.why].filter(Boolean).join(" ");
  problem.hidden = false;
  live(problem.textContent);
}

/**
 * Hostile text as it stands in a sentence: seen whole, and not too long.
 * @param {string} hostile
 */
function shown(hostile) {
  const line = visible(hostile);
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}

/** @param {string[]} names */
function listed(names) {
  return new Intl.ListFormat(say("ui_language")).format(names);
}

// ---- where nothing was seen of a page: why, and what to press

/** @typedef {import("../lib/chain.js").Page} Page */

/**
 * @param {chrome.tabs.Tab} tab
 * @param {Page | undefined} page   undefined where it was there before the companion
 */
export async function unseen(tab, page) {
  const url = page?.url ?? tab.url ?? "";
  const site = /^https?:/iu.test(url) ? patternOf(url) : "";
  const allowed = await chrome.permissions.contains({ origins: [site ? patternOf(url, new URL(url).protocol) : "<all_urls>"] });
  const web = site !== "" || url === "";
  if (web && !allowed) return box(say("unseen_not_allowed"), say("unseen_not_allowed_do"), [allow("unseen_allow_all", "<all_urls>", tab, "primary"), site && allow("unseen_allow_site", site, tab)]);
  if (!web) return box(say("why_not_from_the_web"), say("unseen_web_only"), []);
  const key = page?.why.replaceAll(/[ /]/gu, "_") ?? "before";
  return box(page ? reason(page, say) : say("unseen_before"), say(`unseen_${key}_do`), [reload(tab, page?.why === "service worker")]);
}

/**
 * @param {string} why
 * @param {string} todo
 * @param {(Node | string | false)[]} buttons
 */
function box(why, todo, buttons) {
  return el("section", { class: "empty" }, el("p", { class: "strong" }, why), el("p", {}, todo), buttons.length > 0 && el("div", { class: "actions" }, buttons));
}

/**
 * The prompt may close a popup: what was allowed then shows when it is opened again.
 * @param {string} label
 * @param {string} origin
 * @param {chrome.tabs.Tab} tab
 * @param {string} [kind]
 */
function allow(label, origin, tab, kind = "") {
  return el("button", { type: "button", class: kind, onclick: async () => {
    if (await chrome.permissions.request({ origins: [origin] })) await chrome.tabs.reload(Number(tab.id));
  } }, say(label));
}

/**
 * @param {chrome.tabs.Tab} tab
 * @param {boolean} past   the browser's cache and the page's service worker
 * @param {string} [kind]
 */
export function reload(tab, past, kind = "") {
  return el("button", { type: "button", class: kind, onclick: () => chrome.tabs.reload(Number(tab.id), { bypassCache: past }) }, say(past ? "page_reload_past" : "page_reload"));
}

/**
 * What one has to allow to see a site.
 * @param {string} url
 * @param {string} [protocol]   `*:` for http and https
 */
function patternOf(url, protocol = "*:") {
  return `${protocol}//${new URL(url).hostname}/*`;
}
