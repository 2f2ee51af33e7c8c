// @ts-check
/** All that is known of the responses that brought a page: the way, what may explain a problem, what is new, and each header. */
import { compared } from "../lib/compare.js";
import { visible } from "../lib/formats.js";
import { grouped } from "../lib/headers.js";
import { pageIn, watch } from "../store/pages.js";
import { command, copies, noteButton } from "./copies.js";
import { line, statusTag, WHOLE } from "./line.js";
import { el, folded, redrawn, say } from "./parts.js";
import { reload, unseen } from "./site.js";

/** @typedef {import("../lib/chain.js").Page} Page */
/** @typedef {import("../lib/headers.js").Explained} Explained */
/** @typedef {import("../lib/compare.js").Difference} Difference */

/**
 * Draws the headers of what a tab shows, and again whenever it shows something else.
 * @param {Element} container
 * @param {chrome.tabs.Tab} tab
 * @returns {() => void}   ends it
 */
export function drawHeaders(container, tab) {
  const filter = filterField(() => filtered(filter));
  const end = redrawn(container, [(act) => watch(Number(tab.id), act)], async () => {
    const { page, before } = await pageIn(Number(tab.id));
    const drawn = page?.seen ? seen(tab, page, before, filter.field) : [page && page.hops.length > 0 && wayPanel(page), await unseen(tab, page)];
    queueMicrotask(() => filtered(filter));
    return drawn;
  });
  return end;

  /** @param {{input: HTMLInputElement, said: HTMLElement}} filter */
  function filtered({ input, said }) {
    said.textContent = sifted(container, input.value);
  }
}

/**
 * @param {chrome.tabs.Tab} tab
 * @param {Page} page
 * @param {Page | undefined} before
 * @param {Element} filter
 */
function seen(tab, page, before, filter) {
  const last = page.hops[page.hops.length - 1];
  const groups = grouped(last.headers, last.url);
  const { button, said } = noteButton(page);
  return [
    wayPanel(page),
    el("section", { class: "stack tight" }, copies(page), el("div", { class: "actions" }, button, reload(tab, true, "small")), said, command(page)),
    worthALook(groups.flatMap((each) => each.headers)),
    difference(page, before),
    filter,
    groups.map(({ group, headers }) => groupPanel(group, headers)),
    last.left > 0 && el("p", { class: "quiet" }, say("load_left_out", [last.left])),
  ];
}

/** @param {Page} page */
function wayPanel(page) {
  return el("section", { class: "panel" },
    el("header", {}, el("h2", {}, say("way_title")), el("small", {}, timeOf(page))),
    page.error !== "" && page.seen && el("p", { class: "notice bad" }, say("load_broken", [visible(page.error)])),
    way(page),
    page.at !== page.url && el("p", { class: "quiet" }, say("load_now_at", [visible(page.at)])));
}

/** @param {Page} page */
function timeOf({ time }) {
  const at = new Date(time);
  return el("time", { datetime: at.toISOString() }, at.toLocaleTimeString(say("ui_language"), { timeStyle: "long" }));
}

// ---- what may explain a problem

/** @param {Explained[]} headers */
function worthALook(headers) {
  const found = headers.filter((each) => each.notes.some((note) => note.look));
  return el("section", { class: "panel look" },
    el("h2", {}, say("headers_look")),
    found.length === 0 && el("p", { class: "quiet" }, say("headers_look_none")),
    found.length > 0 && el("dl", { class: "headers" }, found.map((each) => line(each, each.notes.filter((note) => note.look).map(({ key, values }) => say(key, values.map(visible)))))));
}

// ---- what is new

/**
 * @param {Page} page
 * @param {Page | undefined} before
 */
function difference(page, before) {
  if (!before) return el("p", { class: "quiet" }, say("compare_nothing_before"));
  const { added, removed, changed, noise, way: steps } = compared(page, before);
  const told = [...steps.map((each) => one(each, "changed", say(`compare_${each.name}`))), ...changed.map((each) => one(each, "changed")), ...added.map((each) => one(each, "added")), ...removed.map((each) => one(each, "removed"))];
  return el("section", { class: "panel" },
    el("header", {}, el("h2", {}, say("compare_title")), el("small", {}, say("compare_with"), " ", timeOf(before))),
    told.length === 0 && el("p", { class: "quiet" }, say("compare_same")),
    told.length > 0 && el("dl", { class: "headers" }, told),
    noise.length > 0 && el("details", { "data-key": "noise" }, el("summary", { class: "quiet" }, say("compare_noise", [noise.length])), el("dl", { class: "headers" }, noise.map((each) => one(each, "changed")))));
}

/**
 * @param {Difference} difference
 * @param {"added" | "removed" | "changed"} kind
 * @param {string} [label]
 */
function one({ name, was, is }, kind, label = visible(name)) {
  const lines = (/** @type {string} */ text) => (name === "from" ? say(`way_from_${text}`) : text.split("\n").map(visible).join("\n"));
  return el("div", {},
    el("dt", {}, label),
    was !== null && el("dd", {}, el("del", {}, folded(lines(was)))),
    is !== null && el("dd", {}, el("ins", {}, folded(lines(is)))),
    kind !== "changed" && el("dd", {}, el("span", { class: `tag ${kind === "added" ? "good" : "bad"}` }, say(`compare_${kind}`))));
}

// ---- all headers

/**
 * @param {string} group
 * @param {Explained[]} headers
 */
function groupPanel(group, headers) {
  return el("section", { class: "panel group" },
    el("header", {}, el("h2", {}, say(`group_${group}`)), el("small", {}, String(headers.length))),
    el("dl", { class: "headers" }, headers.map((each) => line(each, explained(each)))));
}

/** @param {Explained} header */
function explained({ key, notes }) {
  const first = [key && say(key), ...notes.map((each) => say(each.key, each.values.map(visible)))].filter(Boolean);
  return first.length ? [first.join(" ")] : [];
}

/** @param {() => void} act */
function filterField(act) {
  const input = el("input", { type: "search", "data-key": "filter", placeholder: say("headers_filter"), "aria-label": say("headers_filter"), oninput: act });
  const said = el("p", { class: "quiet", role: "status" });
  return { input, said, field: el("div", { class: "filter stack tight" }, input, said) };
}

/**
 * Leaves only the headers that have a text in them; says how many.
 * @param {Element} container
 * @param {string} wanted
 */
function sifted(container, wanted) {
  const text = wanted.trim().toLowerCase();
  let left = 0;
  for (const group of container.querySelectorAll(".group")) {
    const all = [...group.querySelectorAll("dl > div")];
    for (const each of all) each.toggleAttribute("hidden", text !== "" && !WHOLE.get(each)?.includes(text));
    const shown = all.filter((each) => !each.hasAttribute("hidden")).length;
    group.toggleAttribute("hidden", shown === 0);
    left += shown;
  }
  if (text === "") return "";
  return left ? say("headers_filtered", [left]) : say("headers_filtered_none", [wanted.trim()]);
}

// ---- the way to a page: each request with its answer, all on one scale of time

/** @typedef {import("../lib/chain.js").Hop} Hop */

/** @param {Page} page */
export function way({ hops, ms }) {
  const from = hops[0]?.asked ?? 0;
  const last = hops[hops.length - 1];
  const whole = Math.max(1, ...hops.map((each) => each.asked + each.ms - from), last ? last.asked + ms - from : 0);
  return el("ol", { class: "way" }, hops.map((hop, place) => step(hop, { from, whole, until: hop === last ? ms : 0, key: `hop ${place}`, isLast: hop === last })));
}

/**
 * @param {Hop} hop
 * @param {{from: number, whole: number, until: number, key: string, isLast: boolean}} scale
 */
function step(hop, { from, whole, until, key, isLast }) {
  const percent = (/** @type {number} */ ms) => `${Math.min(100, Math.max(0, (100 * ms) / whole)).toFixed(2)}%`;
  const start = percent(hop.asked - from);
  const told = [hop.ip, say(`way_from_${hop.from}`)].filter(Boolean).map(visible).join(" · ");
  return el("li", {},
    statusTag(hop.status),
    el("span", { class: "to" }, address(hop.url)),
    el("span", { class: "n" }, `${Math.round(hop.ms)} ms`),
    el("svg", { class: "length", "aria-hidden": "true" },
      el("rect", { class: "back", width: "100%", height: "100%", rx: 2 }),
      until > hop.ms && el("rect", { class: "rest", x: start, width: percent(until), height: "100%", rx: 2 }),
      el("rect", { class: "fill", x: start, width: percent(Math.max(hop.ms, whole / 100)), height: "100%", rx: 2 })),
    el("p", { class: "quiet" }, told, until > hop.ms && [" · ", say("way_whole", [Math.round(until)])]),
    !isLast && hop.headers.length > 0 && answer(hop, key));
}

/**
 * The headers of a redirect: drawn when one looks.
 * @param {Hop} hop
 * @param {string} key
 */
function answer(hop, key) {
  const fill = (/** @type {any} */ { currentTarget }) => currentTarget.children.length === 1 && currentTarget.append(lines(hop));
  return el("details", { "data-key": key, ontoggle: fill }, el("summary", {}, say("way_headers", [hop.headers.length])));
}

/** @param {Hop} hop */
function lines({ headers, left }) {
  return el("dl", { class: "log" },
    headers.map(([name, value]) => el("div", {}, el("dt", {}, visible(name)), el("dd", {}, folded(visible(value))))),
    left > 0 && el("div", {}, el("dt", {}, "…"), el("dd", {}, say("load_left_out", [left]))));
}

/**
 * An address with its host standing out.
 * @param {string} url
 */
function address(url) {
  if (!URL.canParse(url)) return folded(visible(url));
  const { origin, host, protocol } = new URL(url);
  const rest = url.startsWith(origin) ? url.slice(origin.length) : url;
  return url.startsWith(origin) && /^https?:$/u.test(protocol) ? [`${protocol}//`, el("b", {}, visible(host)), folded(visible(rest), 120)] : folded(visible(url));
}
