// @ts-check
/**
 * The panel's Toolbox: what the team's Steelyard knows of the site and the conversation of a tab, and of who works here. Nothing is
 * asked of a host that is not on the team's list before somebody presses a button.
 */
import { conversationOf, hostOf } from "../lib/link.js";
import { percent } from "../lib/run.js";
import { settings } from "../store/settings.js";
import { ask, connecting, disconnect, refresh, siteNames, team, watch } from "../store/team.js";
import { draw as redraw, el, live, say } from "./parts.js";
import { asking, connectForm, focusOn, problemNotice } from "./server.js";
import { openIn, pages, riskTag } from "./toolbox_run.js";
import { siteSection } from "./toolbox_site.js";

/** @typedef {import("../store/team.js").Team} Team */
/** What is shown, and what ends it. @typedef {{key: string, tab: chrome.tabs.Tab | undefined, ends: AbortController, over: boolean, last: Promise<void>}} Scene */

const INBOXES = ["https://app.intercom.com", "https://app.eu.intercom.com", "https://app.au.intercom.com"];

/**
 * Draws the toolbox for a tab, and again when the connection changes. It waits until somebody looks.
 * @param {HTMLElement} container
 * @param {chrome.tabs.Tab | undefined} tab
 * @returns {() => void}   ends it
 */
export function drawToolbox(container, tab) {
  /** @type {Scene} */
  const scene = { key: "", tab, ends: new AbortController(), over: false, last: Promise.resolve() };
  const unwatch = watch(() => void draw(container, scene));
  const looks = new IntersectionObserver((seen) => void (seen.some((each) => each.isIntersecting) && opened(container, scene)));
  container.classList.add("toolbox", "stack");
  looks.observe(container);
  return () => {
    scene.over = true;
    scene.ends.abort();
    looks.disconnect();
    unwatch();
  };
}

/** Somebody looks at it now. @param {HTMLElement} container @param {Scene} scene */
async function opened(container, scene) {
  await draw(container, scene);
  await refresh();
}

/** One after another: what was read last is what stays. @param {HTMLElement} container @param {Scene} scene */
function draw(container, scene) {
  return (scene.last = scene.last.then(() => drawn(container, scene)).catch((problem) => console.warn("toolbox", problem)));
}

/** What is there stays while nothing about it changed: a run goes on being shown. @param {HTMLElement} container @param {Scene} scene */
async function drawn(container, scene) {
  const [known, waits] = await Promise.all([team(), connecting()]);
  const address = scene.tab?.url ?? "";
  const conversation = known && (await inboxes()).includes(originOf(address)) ? conversationOf(address) : undefined;
  const host = known && originOf(address) === known.server ? undefined : hostOf(address);
  const isInbox = INBOXES.includes(originOf(address)) || conversation !== undefined;
  const site = { unseen: !address, host: isInbox ? undefined : host, listed: !isInbox && host !== undefined && (await siteNames()).has(host) };
  const key = JSON.stringify([known?.token, known?.ended, known?.person, site, conversation, known && !known.ended ? waits?.problem : waits]);
  if (key === scene.key || scene.over) return;
  scene.key = key;
  scene.ends.abort();
  scene.ends = new AbortController();
  const { signal } = scene.ends;
  const parts = known && !known.ended ? [...sections(known, site, conversation, signal), waits?.problem && problemNotice(waits.problem)] : [await apart(known, waits)];
  if (!signal.aborted) redraw(container, parts);
}

/**
 * @param {Team} known
 * @param {{unseen: boolean, host: string | undefined, listed: boolean}} site
 * @param {string | undefined} conversation
 * @param {AbortSignal} signal
 */
function sections(known, site, conversation, signal) {
  const all = [siteSection(known, { ...site, conversation }, signal)];
  if (conversation) all.push(conversationSection(known, conversation, signal));
  if (known.person.engineer) all.push(loadSection(known, known.person.engineer, signal));
  return [...all, foot(known)];
}

/** Not connected, or not any more: what it gives, and how. @param {Team | null} known @param {import("../store/team.js").Connecting | null} waits */
async function apart(known, waits) {
  const { server } = await settings();
  const gives = ["toolbox_gives_site", "toolbox_gives_runbooks", "toolbox_gives_mine"];
  return el("section", { class: "panel", "aria-labelledby": "connect-title" },
    el("h2", { id: "connect-title" }, say(known ? "toolbox_again_title" : "toolbox_connect_title")),
    known ? problemNotice({ say: "team_ended", values: [known.server], why: "" }) : el("ul", { class: "bullets" }, gives.map((each) => el("li", {}, say(each)))),
    connectForm(waits, { server: known?.server || server.value }),
    el("p", { class: "quiet" }, say("toolbox_without")));
}

/** @param {Team} known */
function foot(known) {
  return el("footer", { class: "foot" },
    el("p", { class: "quiet" }, say("toolbox_connected", [known.person.name || "–", known.workspace.name, new URL(known.server).host])),
    el("p", { class: "actions" },
      el("a", { class: "button small plain", href: `${known.server}/desk`, target: "_blank", rel: "noreferrer" }, say("toolbox_console")),
      el("button", { type: "button", class: "small plain", onclick: () => void disconnect().then(() => live(say("connect_ended", [new URL(known.server).host]))) }, say("connect_end", [new URL(known.server).host]))));
}

/** Where tabs show conversations: Intercom's own, and what was set as an editor. */
async function inboxes() {
  const { editors } = await settings();
  return [...INBOXES, ...editors.map((each) => each.origin)];
}

/** @param {string} address */
function originOf(address) {
  return URL.canParse(address) ? new URL(address).origin : "";
}

// ---- what is about who works here: the conversation in the tab, their load, and going away

/** The least length of the scale that loads are drawn on, in units of weight: as on the desk. */
const SCALE = 24;
/** How often and how long it is looked whether Intercom was told, in milliseconds. */
const [EVERY, MOST] = [1500, 20_000];

/**
 * Pages of the handbook and runbooks for the topic of the tab's conversation.
 * @param {Team} known
 * @param {string} conversation
 * @param {AbortSignal} signal
 */
export function conversationSection(known, conversation, signal) {
  return el("section", { class: "panel", "aria-labelledby": "conversation-title" },
    el("header", {}, el("h2", { id: "conversation-title" }, say("toolbox_conversation")), el("small", {}, openIn(known.server, `/conversations/${conversation}`, conversation))),
    asking(`/toolbox/for/${conversation}.json`, draw, signal));

  /** @param {any} data */
  function draw({ topic, pages: all, buttons }) {
    const language = document.documentElement.lang;
    const list = pages(known.server, all ?? []);
    const runbooks = (buttons ?? []).map((/** @type {any} */ each) => el("li", {}, openIn(known.server, each.href, String(each.title)), riskTag(String(each.risk))));
    return [
      topic && el("p", {}, say("toolbox_topic", [topic.names?.[language] ?? topic.names?.en ?? topic.id])),
      list ?? el("p", { class: "quiet" }, say("toolbox_no_pages")),
      runbooks.length > 0 && el("ul", { class: "rows" }, runbooks),
    ];
  }
}

/**
 * What they carry, as long as it weighs, and the switch for going away.
 * @param {Team} known
 * @param {string} engineer
 * @param {AbortSignal} signal
 */
export function loadSection(known, engineer, signal) {
  const path = `/engineers/${engineer}.json`;
  const body = asking(path, (data) => mine(data), signal);
  return el("section", { class: "panel", "aria-labelledby": "load-title" },
    el("header", {}, el("h2", { id: "load-title" }, say("toolbox_load")), el("small", {}, openIn(known.server, `/engineers/${engineer}`, say("toolbox_details")))), body);

  /** @param {any} data */
  function mine({ row, capacity, limit, mean, away }) {
    const said = el("div", { class: "stack tight" });
    drawAway(away);
    return [rail(row, capacity, limit, mean), said];

    /** @param {{now: boolean, asked: boolean | null, refused: string}} being */
    function drawAway({ now, asked, refused }) {
      const words = asked !== null ? (asked ? "toolbox_going" : "toolbox_coming") : refused ? "toolbox_away_refused" : now ? "toolbox_is_away" : "toolbox_is_here";
      const had = said.contains(document.activeElement);
      const button = el("button", { type: "button", class: now ? "primary" : "", onclick: () => void change(!(asked ?? now)) },
        say(asked !== null ? "ui_undo" : now ? "toolbox_come_back" : "toolbox_go_away"));
      said.replaceChildren(el("p", { class: "actions" }, button, el("span", { class: "quiet", role: "status" }, say(words))));
      if (had) focusOn(said);
      if (asked !== null) void follow(Date.now());
    }

    /** @param {boolean} to */
    async function change(to) {
      const answer = await ask("/away", { method: "POST", body: { away: to ? "yes" : "no" } });
      if (signal.aborted) return;
      if (answer.ok) drawAway({ now: !to, asked: to, refused: "" });
      else said.append(problemNotice(answer.problem));
      live(answer.ok ? say(to ? "toolbox_going" : "toolbox_coming") : say(answer.problem.say, answer.problem.values));
    }

    /** Until Intercom has been told, or for so long. @param {number} since */
    async function follow(since) {
      const following = (followed += 1);
      while (Date.now() - since < MOST) {
        await new Promise((done) => setTimeout(done, EVERY));
        if (signal.aborted || following !== followed || !said.isConnected || document.visibilityState !== "visible") return;
        const answer = await ask(path);
        if (signal.aborted || following !== followed) return;
        if (answer.ok && answer.data?.away?.asked === null) return drawAway(answer.data.away);
      }
    }
  }
}

/** Which look at going away is the newest. */
let followed = 0;

/**
 * @param {any} row            what is carried; null for nothing
 * @param {number} capacity
 * @param {number | null | undefined} limit
 * @param {number | null} mean
 */
function rail(row, capacity, limit, mean) {
  const load = Number(row?.load ?? 0);
  const scale = Math.max(SCALE, load + 2, Number(limit ?? 0), Number(mean ?? 0));
  const language = document.documentElement.lang || "en";
  const number = (/** @type {number} */ value) => new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value);
  const words = [say("toolbox_carries", [load, row?.open ?? 0]), capacity !== 1 && say("toolbox_capacity", [number(capacity), number(row?.score ?? 0)]), limit && say("toolbox_limit", [number(limit)]), mean !== null && mean !== undefined && say("toolbox_mean", [number(mean)])].filter(Boolean);
  return el("div", { class: "stack tight" },
    el("svg", { class: "rail", "aria-hidden": "true" },
      el("rect", { class: "track", y: 6, width: percent(limit ?? scale, scale), height: 14, rx: 3 }),
      blocks(row?.blocks ?? [], scale),
      mean ? el("line", { class: "mean", x1: percent(mean, scale), x2: percent(mean, scale), y1: 0, y2: 26 }) : null),
    el("p", { class: "quiet" }, words.join(" · ")));
}

/** One block a conversation, as long as it weighs. @param {any[]} all @param {number} scale */
function blocks(all, scale) {
  let at = 0;
  return all.map((each) => {
    const from = at;
    at += Number(each.weight);
    return el("rect", { class: `block ${/^\w+$/u.test(each.family) ? each.family : ""}`, x: percent(from, scale), y: 6, width: percent(Number(each.weight), scale), height: 14, rx: 2 });
  });
}
