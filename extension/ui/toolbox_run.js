// @ts-check
/**
 * One run in the panel: its plan, its steps as they go, what the host says, what it found. It is looked at once a second while
 * somebody sees it and something may happen, and not for ever. All that a host said is text.
 */
import { grouped, joinedLines, linkTo, lookAgainIn, percent, shareOf, stateOf, took } from "../lib/run.js";
import { ask } from "../store/team.js";
import { el, live, say } from "./parts.js";
import { ODD, problemNotice } from "./server.js";

/** @typedef {import("../store/team.js").Team} Team */
/** @typedef {import("../lib/run.js").Run} Run */
/** @typedef {import("../lib/run.js").Step} Step */
/** @typedef {import("../lib/run.js").Line} Line */

const SIGNS = { waiting: "○", at: "◐", done: "✓", failed: "✕", left_out: "–", unknown: "?" };
const TITLES = { do: "toolbox_steps", check: "toolbox_proof", undo: "toolbox_putting_back" };
/** Tries after a failure that may pass, in milliseconds after each other. */
const RETRIES = [2000, 4000, 8000, 15_000];

/**
 * @param {Team} known
 * @param {number} number
 * @param {{signal: AbortSignal, titleOf: (runbook: string) => string, ended: () => void, close: () => void}} around   `ended` is called when a run that was under way is over
 */
export function showRun(known, number, { signal, titleOf, ended, close }) {
  const head = el("div", { class: "stack tight" });
  const body = el("div", { class: "stack tight" });
  const said = el("div", {});
  const acts = el("div", { class: "actions" });
  const log = el("div", { class: "log lines", role: "log", "aria-live": "off", "aria-label": say("toolbox_log"), tabindex: 0 });
  const heard = el("details", { open: true, hidden: true }, el("summary", { class: "quiet" }, say("toolbox_log")), log);
  const part = el("article", { class: "run stack tight", "aria-label": say("toolbox_run", [number]) }, head, said, acts, body, heard);
  /** @type {Line[]} */
  let lines = [];
  let [state, mark, changedAt, failures, busy] = ["", "", Date.now(), 0, false];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;
  const looks = new IntersectionObserver((all) => all.some((each) => each.isIntersecting) && seen());
  looks.observe(part);
  document.addEventListener("visibilitychange", seen, { signal });
  signal.addEventListener("abort", () => (clearTimeout(next), looks.disconnect()));
  void look();
  return part;

  function seen() {
    if (document.visibilityState === "visible" && !stateOf(state).over) void look();
  }

  /** Nothing is asked while the panel shows something else. */
  function again() {
    if (part.isConnected) void look();
  }

  async function look() {
    clearTimeout(next);
    if (busy || signal.aborted) return;
    busy = true;
    const answer = await ask(`/runs/${number}.json?after=${lines.at(-1)?.line ?? 0}`);
    busy = false;
    if (signal.aborted || !part.isConnected) return;
    if (!answer.ok) return failed(answer);
    failures = 0;
    said.replaceChildren();
    try {
      draw(answer.data);
    } catch {
      mark = ""; // or the same answer would count as drawn
      return said.replaceChildren(problemNotice(ODD, goOn));
    }
    plan(lookAgainIn(state, Date.now() - changedAt));
  }

  /** @param {number | undefined} wait   milliseconds; nothing is looked at while nobody sees it */
  function plan(wait) {
    if (wait !== undefined && document.visibilityState === "visible" && part.isConnected) next = setTimeout(again, wait);
    else if (wait === undefined && !stateOf(state).over) {
      said.replaceChildren(el("p", { class: "notice" }, say("toolbox_still"), " ", el("button", { type: "button", class: "small", onclick: goOn }, say("toolbox_look_again"))));
    }
  }

  function goOn() {
    [changedAt, failures] = [Date.now(), 0];
    void look();
  }

  /** @param {import("../store/team.js").Failed} answer */
  function failed({ status, problem }) {
    const wait = status === 0 || status >= 500 || status === 429 ? RETRIES[failures++] : undefined;
    said.replaceChildren(problemNotice(problem, goOn));
    if (failures <= 1) live(say(problem.say, problem.values));
    if (wait !== undefined && document.visibilityState === "visible") next = setTimeout(again, wait);
  }

  /** @param {Run} run */
  function draw(run) {
    lines = joinedLines(lines, run.lines ?? []);
    const before = state;
    state = run.state;
    const now = JSON.stringify([run, lines.at(-1)?.line]);
    if (now === mark) return;
    [mark, changedAt] = [now, Date.now()];
    const held = document.activeElement instanceof HTMLElement && part.contains(document.activeElement) ? document.activeElement.dataset.act : undefined;
    head.replaceChildren(...header(run, titleOf(run.runbook), close));
    acts.replaceChildren(...buttons(known, run, calledOff));
    body.replaceChildren(...results(run), ...plans(run), ...steps(run));
    if (!before && stateOf(state).over) heard.open = false;
    heard.hidden = lines.length === 0;
    drawLog(log, lines);
    if (held) /** @type {HTMLElement | null} */ (part.querySelector(`[data-act="${held}"]`))?.focus();
    if (before !== state) live(`${run.site_name}: ${say(`toolbox_state_${state}`)}`);
    if (before && stateOf(state).over && before !== state) ended();
  }

  async function calledOff() {
    const answer = await ask(`/runs/${number}/cancel`, { method: "POST", body: {} });
    if (signal.aborted) return;
    if (!answer.ok) said.replaceChildren(problemNotice(answer.problem));
    await look();
  }
}

/** @param {Run} run @param {string} title @param {() => void} close */
function header(run, title, close) {
  const time = run.took_ms ?? null;
  const length = time !== null ? say("toolbox_took", [tookIn(time)]) : run.expected_ms && !stateOf(run.state).over ? say("toolbox_about_long", [tookIn(run.expected_ms)]) : "";
  return [
    el("header", { class: "named" },
      el("h3", {}, `${title} · ${run.site_name}`),
      el("button", { type: "button", class: "small plain", "data-act": "close", onclick: close, "aria-label": say("toolbox_hide", [run.run]) }, "✕")),
    el("p", { class: "actions" }, stateTag(run.state), riskTag(run.risk), el("small", {}, length)),
    run.words.reason === run.words.nothing ? null : run.words.reason && el("p", { class: "notice" }, run.words.reason),
  ].filter((each) => each !== null);
}

/**
 * What can be pressed here, and where the rest is pressed.
 * @param {Team} known
 * @param {Run} run
 * @param {() => Promise<void>} callOff
 */
function buttons(known, run, callOff) {
  const page = `/runs/${run.run}`;
  const waits = run.state === "planned" && run.risk !== "reads";
  const off = run.can.includes("cancel") && el("button", { type: "button", class: "small", "data-act": "cancel", onclick: pressed }, say(run.state === "planned" ? "toolbox_drop" : "toolbox_call_off"));
  return [
    waits ? openIn(known.server, page, say("toolbox_confirm"), `button ${run.risk === "destroys" ? "danger" : "primary"}`) : openIn(known.server, page, say("toolbox_run_page"), "quiet"),
    off || null,
    waits ? el("p", { class: "quiet" }, say("toolbox_confirm_why")) : null,
  ].filter((each) => each !== null);

  /** @param {Event} event */
  function pressed({ currentTarget }) {
    /** @type {HTMLButtonElement} */ (currentTarget).disabled = true;
    void callOff();
  }
}

/** What it found, what is bad first. @param {Run} run */
function results({ words, state }) {
  const tone = new Map([["good", "good"], ["bad", "bad"]]);
  const found = words.found.length ? [el("h4", {}, say("toolbox_found")), el("dl", { class: "facts found" }, words.found.flatMap((each) => [
    el("dt", {}, each.label),
    el("dd", {}, el("span", { class: `tag ${tone.get(each.state) ?? "warn"}` }, each.state === "good" ? `✓ ${each.word}` : each.word), " ", each.says),
  ]))] : [];
  const left = state === "done" && words.left.length ? [el("h4", {}, say("toolbox_left")), bullets(words.left)] : [];
  return [...found, ...left];
}

/** What it would do, before it is done. @param {Run} run */
function plans({ plan, words, risk, state }) {
  const before = state === "planned" || state === "waits";
  return [
    words.nothing && el("p", { class: "notice good" }, words.nothing),
    words.warnings.length && el("div", { class: "notice warn stack tight" }, el("strong", {}, say("toolbox_warnings")), bullets(words.warnings)),
    before && words.concerns.length && el("dl", { class: "facts" }, words.concerns.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value || "–")])),
    before && plan && risk !== "reads" && el("p", { class: "quiet" }, say(plan.undoable ? "toolbox_undoable" : "toolbox_not_undoable")),
  ].filter((each) => each instanceof Node);
}

/** @param {Run} run */
function steps(run) {
  return grouped(run).flatMap(([phase, group]) => [el("h4", {}, say(TITLES[phase])), el("ol", { class: "steps" }, group.map(step))]);
}

/** @param {Step & {title: string, says: string}} step */
function step(step) {
  const { title, says, state, took_ms, expected_ms, progress } = step;
  const share = state === "at" ? shareOf(step) : undefined;
  const time = took_ms !== null ? tookIn(took_ms) : state === "waiting" ? `≈ ${tookIn(expected_ms)}` : "";
  return el("li", { class: `is-${state}`, "aria-current": state === "at" && "step" },
    el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state] ?? "?"),
    el("span", { class: "what" }, title, el("span", { class: "sr" }, ` (${say(`toolbox_step_${state}`)})`),
      says && says !== title && el("small", {}, says),
      progress && state === "at" && el("small", {}, progress.total ? `${progress.done} / ${progress.total} ${progress.what}` : `${progress.done} ${progress.what}`)),
    el("small", { class: "n" }, time),
    share !== undefined && bar(share));
}

/** @param {number} share */
function bar(share) {
  return el("svg", { class: "length", "aria-hidden": "true" },
    el("rect", { class: "back", width: "100%", height: 4, rx: 2 }), el("rect", { class: "fill", width: percent(share, 1), height: 4, rx: 2 }));
}

/** The lines that came; it stays at its end unless somebody scrolled away. @param {HTMLElement} log @param {Line[]} lines */
function drawLog(log, lines) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  log.replaceChildren(...lines.map((each) => el("div", { class: each.level === "info" ? "" : each.level === "error" ? "bad" : "warn" }, each.said)));
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** @param {string[]} all */
function bullets(all) {
  return el("ul", { class: "bullets" }, all.map((each) => el("li", {}, String(each))));
}

/** @param {number} ms */
function tookIn(ms) {
  return took(ms, document.documentElement.lang || "en");
}

// ---- pieces that the parts of the toolbox share

const RISKS = new Map([["reads", ""], ["changes", "warn"], ["destroys", "bad"]]);

/** What a runbook does to a site, in a word. @param {string} risk */
export function riskTag(risk) {
  return el("span", { class: `tag ${RISKS.get(risk) ?? ""}` }, RISKS.has(risk) ? say(`toolbox_risk_${risk}`) : risk);
}

/** Where a run is, in a word. @param {string} state */
export function stateTag(state) {
  const { known, tone } = stateOf(state);
  return el("span", { class: `tag ${tone}` }, `${state === "done" ? "✓ " : ""}${known ? say(`toolbox_state_${state}`) : state}`);
}

/**
 * A link to a page of the console; null for what leads elsewhere.
 * @param {string} server
 * @param {unknown} href
 * @param {string} text
 * @param {string} [looks]   classes
 */
export function openIn(server, href, text, looks = "") {
  const address = linkTo(server, href);
  return address ? el("a", { class: looks, href: address, target: "_blank", rel: "noreferrer" }, `${text}\u00a0↗`) : null;
}

/** Pages of the handbook; null where there are none. @param {string} server @param {any[]} all */
export function pages(server, all) {
  const shown = all.map((each) => openIn(server, each.href ?? `/handbook/${each.slug}`, String(each.title))).filter((each) => each !== null);
  return shown.length ? el("ul", { class: "rows" }, shown.map((each) => el("li", {}, each))) : null;
}

/** When something was, in words; the exact time beside. @param {unknown} at */
export function agoOf(at) {
  const then = Date.parse(String(at));
  if (Number.isNaN(then)) return "";
  const minutes = (then - Date.now()) / 60_000;
  const [value, unit] = Math.abs(minutes) < 1 ? [0, "second"] : Math.abs(minutes) < 60 ? [minutes, "minute"] : Math.abs(minutes) < 48 * 60 ? [minutes / 60, "hour"] : [minutes / 1440, "day"];
  return new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" }).format(Math.round(/** @type {number} */ (value)), /** @type {any} */ (unit));
}
