// @ts-check
/** A run as the panel shows it: what it is waiting for, its steps, how long things took. What a host said is hostile text. Pure. */

/** @typedef {{step: number, phase: "do" | "check" | "undo", expected_ms: number, check: boolean, took_ms: number | null, progress: {done: number, total: number, what: string} | null, state: "waiting" | "at" | "done" | "failed" | "left_out" | "unknown"}} Step */
/** @typedef {{line: number, step: number, at_ms: number, level: string, said: string}} Line */
/**
 * What is read of a run, in the reader's language.
 * @typedef {object} Words
 * @property {string | null} reason
 * @property {string | null} nothing                     why there is nothing to do
 * @property {string[]} warnings
 * @property {string[]} left                             to do afterwards
 * @property {[string, string][]} concerns
 * @property {{title: string, says: string}[]} steps     in the order of the run's
 * @property {{label: string, state: string, word: string, says: string}[]} found   what is bad first
 */
/**
 * What the server says of a run.
 * @typedef {object} Run
 * @property {number} run
 * @property {string} runbook
 * @property {string} state
 * @property {string} risk
 * @property {string} site_name
 * @property {{undoable: boolean} | null} plan
 * @property {Step[]} steps
 * @property {number} expected_ms
 * @property {number | null} took_ms
 * @property {string[]} can
 * @property {Line[]} lines
 * @property {Words} words
 */

/** Of a state: whether nothing more happens by itself, and how it reads. @type {Record<string, {over: boolean, tone: "" | "good" | "warn" | "bad"}>} */
const STATES = {
  planning: { over: false, tone: "" },
  planned: { over: false, tone: "" },
  waits: { over: false, tone: "warn" },
  queued: { over: false, tone: "" },
  running: { over: false, tone: "" },
  undoing: { over: false, tone: "warn" },
  stopped: { over: true, tone: "bad" },
  done: { over: true, tone: "good" },
  put_back: { over: true, tone: "warn" },
  failed: { over: true, tone: "bad" },
  refused: { over: true, tone: "warn" },
  nothing: { over: true, tone: "good" },
  cancelled: { over: true, tone: "" },
};
const WAITS_FOR_PEOPLE = new Set(["planned", "waits"]);
/** How often a run is looked at, in milliseconds: while a machine is at it, and while it waits for a person; and for how long without change. */
const EVERY = { work: 1000, people: 3000 };
const MOST_STILL = 10 * 60_000;
/** Lines that are shown; the rest is in the console. */
const MOST_LINES = 400;

/** @param {string} state @returns {{known: boolean, over: boolean, tone: "" | "good" | "warn" | "bad"}} */
export function stateOf(state) {
  const found = Object.hasOwn(STATES, state) ? STATES[state] : undefined;
  return { known: found !== undefined, over: found?.over ?? true, tone: found?.tone ?? "" };
}

/**
 * In how many milliseconds to look at a run again; undefined where there is nothing to wait for, or nobody has touched it for long.
 * @param {string} state
 * @param {number} still   milliseconds since anything of it changed
 */
export function lookAgainIn(state, still) {
  if (stateOf(state).over || still >= MOST_STILL) return undefined;
  return WAITS_FOR_PEOPLE.has(state) ? EVERY.people : EVERY.work;
}

/**
 * The last lines of a log, each once and in order.
 * @param {Line[]} before
 * @param {Line[]} more    what came since, perhaps with some of before
 */
export function joinedLines(before, more) {
  const last = before.at(-1)?.line ?? 0;
  return [...before, ...more.filter((each) => each.line > last)].slice(-MOST_LINES);
}

/**
 * What is done, what is proved, and what is put back, in order and with its words; without empty groups.
 * @param {Run} run
 */
export function grouped({ steps, words }) {
  const told = steps.map((each, at) => ({ ...each, ...words.steps[at] }));
  /** @type {["do" | "check" | "undo", (Step & {title: string, says: string})[]][]} */
  const groups = ["do", "check", "undo"].map((phase) => [/** @type {any} */ (phase), told.filter((each) => each.phase === phase)]);
  return groups.filter(([, all]) => all.length > 0);
}

/**
 * A length of time: `340 ms`, `2.4 s`, `3 min 20 s`.
 * @param {number} ms
 * @param {string} language
 */
export function took(ms, language) {
  if (ms < 1000) return `${Math.round(ms)}\u202fms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${new Intl.NumberFormat(language, { maximumFractionDigits: seconds < 10 ? 1 : 0 }).format(seconds)}\u202fs`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}\u202fmin${whole % 60 ? ` ${whole % 60}\u202fs` : ""}`;
}

/** How far a step is, as a share of 1; undefined where nobody knows. @param {Step} step */
export function shareOf({ progress }) {
  return progress && progress.total > 0 ? Math.min(1, Math.max(0, progress.done / progress.total)) : undefined;
}

/**
 * How a length stands on a scale, in percent, as an attribute wants it.
 * @param {number} value
 * @param {number} scale   above 0
 */
export function percent(value, scale) {
  return `${Math.round(Math.min(100, Math.max(0, (100 * value) / scale)) * 100) / 100}%`;
}

/**
 * The address of a page of the console; undefined for what leads elsewhere, since a server's answer is text too.
 * @param {string} server   its origin
 * @param {unknown} href
 */
export function linkTo(server, href) {
  try {
    const url = new URL(String(href ?? ""), server);
    return href && url.origin === server ? url.href : undefined;
  } catch {
    return undefined;
  }
}
