// @ts-check
/** The lines in which popup and panel alike tell of a page's responses: a header with what it says, and the way to the page. */
import { visible } from "../lib/formats.js";
import { el, folded, say } from "./parts.js";

/** What the filter looks in, of each header: what is folded too. @type {WeakMap<Element, string>} */
export const WHOLE = new WeakMap();

/**
 * @param {import("../lib/headers.js").Explained} header
 * @param {string[]} sentences
 */
export function line({ name, value }, sentences) {
  const made = el("div", {}, el("dt", {}, visible(name)), el("dd", {}, el("code", {}, folded(visible(value)))), sentences.map((each) => each !== "" && el("dd", { class: "note" }, each)));
  WHOLE.set(made, [name, value, ...sentences].join("\n").toLowerCase());
  return made;
}

/**
 * Statuses and time of a page, in a line: `301 → 200 · 214 ms`.
 * @param {import("../lib/chain.js").Page} page
 */
export function wayLine({ hops, ms }) {
  const first = hops.length > 5 ? [...hops.slice(0, 2), null, ...hops.slice(-2)] : hops;
  const steps = first.flatMap((hop, place) => [place > 0 && el("span", { class: "arrow", "aria-hidden": "true" }, "→"), hop ? statusTag(hop.status) : el("span", {}, `… ${hops.length - 4} …`)]);
  const last = hops[hops.length - 1];
  const whole = last.asked - hops[0].asked + Math.max(ms, last.ms);
  const told = [hops.length > 1 ? say("way_redirects", [hops.length - 1]) : "", `${Math.round(whole)} ms`, visible(last.ip), say(`way_from_${last.from}`)];
  return el("p", { class: "way-line" }, steps, el("span", { class: "quiet" }, told.filter(Boolean).join(" · ")));
}

/** @param {number} status */
export function statusTag(status) {
  const kind = status >= 400 || !status ? "bad" : status >= 300 ? "" : "good";
  return el("span", { class: `tag status ${kind}` }, status ? String(status) : "—");
}
