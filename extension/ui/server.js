// @ts-check
/** What pages show of the team's server: while it is asked, where it says no, and how this browser is connected with it. */
import { visible } from "../lib/formats.js";
import { patternOf, readLink } from "../lib/link.js";
import { ask, connecting, keepConnecting, team, watch } from "../store/team.js";
import { el, live, redrawn, say } from "./parts.js";

/** @typedef {import("../store/team.js").Problem} Problem */
/** @typedef {import("./parts.js").Children} Children */

/** After how many milliseconds waiting is told: what comes at once needs no word. */
const SOON = 300;
/** What is told where an answer cannot be drawn: whoever answers may be older or newer than this. @type {Problem} */
export const ODD = { say: "team_odd", values: [], why: "" };

/**
 * A part of a page that asks the server once and shows the answer; where that fails, why, and a button to try again.
 * @param {string} path
 * @param {(data: any) => Children} draw
 * @param {AbortSignal} signal   when the part is not shown any more
 */
export function asking(path, draw, signal) {
  const part = el("div", { class: "stack" });
  void load();
  return part;

  async function load() {
    const restores = part.contains(document.activeElement);
    part.setAttribute("aria-busy", "true");
    const waiting = setTimeout(() => part.replaceChildren(el("p", { class: "quiet" }, say("toolbox_asking"))), SOON);
    const answer = await ask(path);
    clearTimeout(waiting);
    if (signal.aborted) return;
    part.removeAttribute("aria-busy");
    const problem = answer.problem ?? shown(answer.data);
    if (problem) part.replaceChildren(problemNotice(problem, () => void load()));
    if (restores) focusOn(part);
    if (problem) live(say(problem.say, problem.values));
  }

  /** @param {any} data @returns {Problem | undefined} */
  function shown(data) {
    try {
      return void part.replaceChildren(...all(draw(data)));
    } catch {
      return ODD;
    }
  }
}

/**
 * What went wrong, in a sentence that says what to do; the server's own sentence after it.
 * @param {Problem} problem
 * @param {() => void} [again]   tries it once more
 */
export function problemNotice({ say: key, values, why }, again) {
  return el("div", { class: "notice warn stack tight" },
    el("p", {}, say(key, values)),
    why && el("p", { class: "quiet" }, say("toolbox_says", [why])),
    again && el("p", { class: "actions" }, el("button", { type: "button", class: "small", onclick: again }, say("toolbox_again"))));
}

/** Moves the focus to the first thing in `part` that can have it, else to itself. @param {HTMLElement} part */
export function focusOn(part) {
  /** @type {HTMLElement | null} */
  const first = part.querySelector("h2[tabindex], h3[tabindex], button:not(:disabled), a[href], input");
  if (!first) part.tabIndex = -1;
  (first ?? part).focus();
}

/** @param {Children} children @returns {(Node | string)[]} */
function all(children) {
  return [children].flat().filter((each) => each instanceof Node || typeof each === "string");
}

// ---- connecting, in two presses: by the first the link's server tells whom it connects, since anybody may have made it; by the
// second it is done. Nothing is sent before the first. What is drawn is what is kept: a page may be closed in between

/**
 * @param {string} text   a connect link, pasted or that of a tab
 */
async function seeBy(text) {
  const link = readLink(text);
  if ("refused" in link) return keepConnecting(text, wrong(link.refused));
  const kept = keepConnecting(text.trim());
  const given = await chrome.permissions.request({ origins: [patternOf(link.origin)] }).catch(() => false);
  await kept;
  if (!given) return keepConnecting(text.trim(), wrong("connect_not_permitted", [link.origin]));
  return told("look", text.trim());
}

/** The worker asks the server, since the browser's question may close the page. @param {"look" | "connect"} what @param {string} link */
async function told(what, link) {
  const done = await chrome.runtime.sendMessage({ do: what }).catch(() => false);
  if (!done) await keepConnecting(link, wrong("connect_lost"));
}

/** @param {string} say @param {string[]} [values] */
function wrong(say, values = []) {
  return { problem: { say, values, why: "" } };
}

/** What a press came to is said too. @param {Promise<void>} pressed */
async function heard(pressed) {
  await pressed;
  const left = await connecting();
  if (left?.problem) live(say(left.problem.say, left.problem.values));
  else if (!left) live(say("connect_done"));
}

/**
 * How this browser is connected: a field for a link, or the link that a tab shows; then whom it connects.
 * @param {import("../store/team.js").Connecting | null} waits   as `connecting` told it
 * @param {{server?: string, address?: string}} from             where links are made; the link
 */
export function connectForm(waits, { server, address }) {
  const mine = waits && (!address || !waits.link || waits.link === address) ? waits : null;
  const said = mine?.problem && problemNotice(mine.problem);
  if (mine?.whom) return whomPart(mine.link, mine.whom);
  if (address) return [el("button", { type: "button", class: "primary", "data-key": "connect", onclick: () => heard(seeBy(address)) }, say("popup_connect_to", [new URL(address).origin])), said];
  const field = el("input", { id: "connect-link", name: "link", type: "url", class: "mono", autocomplete: "off", spellcheck: "false", placeholder: "https://…/companion/connect#…", "aria-describedby": "connect-problem", "aria-invalid": said ? "true" : undefined, value: mine?.link ?? "" });
  return el("form", { class: "form stack", novalidate: true, onsubmit: (/** @type {SubmitEvent} */ event) => (event.preventDefault(), void heard(seeBy(field.value))) },
    el("ol", { class: "numbered" },
      el("li", {}, server ? el("a", { href: `${server}/companion`, target: "_blank", rel: "noreferrer" }, say("connect_open", [new URL(server).host])) : say("connect_find")),
      el("li", {}, say("connect_press")),
      el("li", {}, say("connect_then"))),
    el("div", { class: "field" }, el("label", { for: "connect-link" }, say("connect_link")), field),
    el("div", { id: "connect-problem" }, said),
    el("p", { class: "actions" }, el("button", { class: "primary", "data-key": "connect" }, say("connect_do"))));
}

/**
 * The focus comes to the question and not to the button, so that no press is one too many.
 * @param {string} link
 * @param {import("../store/team.js").Whom} whom
 */
function whomPart(link, whom) {
  const [name, address, workspace] = [whom.name || whom.address, whom.address, whom.workspace].map(visible);
  return el("section", { class: "notice stack tight" },
    el("h3", { tabindex: "-1", "data-key": "connect" }, say("connect_whom", [name])),
    el("p", {}, say("connect_whom_what", [workspace, new URL(link).origin, name, address])),
    el("p", { class: "actions" },
      el("button", { type: "button", class: "primary", onclick: () => heard(told("connect", link)) }, say("connect_as", [name])),
      el("button", { type: "button", class: "plain", onclick: () => keepConnecting("") }, say("connect_not_me"))));
}

/**
 * The link that a tab shows.
 * @param {Element} container
 * @param {string} address
 * @returns {() => void}     ends it
 */
export function drawConnect(container, address) {
  return redrawn(container, [watch], () => offer(address));
}

/** @param {string} address */
async function offer(address) {
  const { origin } = new URL(address);
  const [known, waits] = await Promise.all([team(), connecting()]);
  const done = known?.code === address.split("#")[1] && !known.ended;
  return [
    el("section", { class: `verdict ${done ? "ours" : ""}` },
      el("span", { class: "sign", "aria-hidden": "true" }, done ? "✓" : "+"),
      el("div", {},
        el("h2", {}, say(done ? "popup_connect_done" : "popup_connect_title")),
        el("p", {}, done ? say("popup_connect_done_what", [known.workspace.name, origin]) : say("popup_connect_what", [origin])))),
    done ? waits?.problem && problemNotice(waits.problem) : connectForm(waits, { address }),
  ].flat();
}
