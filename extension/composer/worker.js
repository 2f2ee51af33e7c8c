// @ts-check
/** The way to the companion's background, and what it says of the composer: the page itself may read no storage. */
import { trusting } from "../lib/trust.js";
import { kindOf, KINDS } from "./editors.js";

/**
 * @typedef {object} Settings
 * @property {string[]} trusted
 * @property {import("./editors.js").Kind[]} kinds   configured ones
 * @property {boolean} notes                        whether internal notes are looked at as well
 * @property {boolean} connected                    whether a domain can be proposed to the team
 */

/** Milliseconds for the worker to answer: what was pasted waits so long, and nothing is trusted then. */
const PATIENCE = 2000;
/** Milliseconds after which what the team or the company settled may have changed. */
const OLD = 60_000;
let asked = 0;

/** What is known now. */
export const known = {
  /** @type {Set<string>} */
  trusted: new Set(),
  kind: kindOf(location.hostname, KINDS),
  notes: true,
  connected: false,
};

/** Whether this is still the extension that the browser runs: an update leaves the scripts of open pages behind. */
export const isAlive = () => chrome.runtime?.id !== undefined;

/**
 * @param {object} message
 * @returns {Promise<any>}   undefined where nobody answers
 */
export async function tell(message) {
  try {
    return await chrome.runtime.sendMessage(message);
  } catch {
    return undefined;
  }
}

/** Asks for the settings. An answer that comes late counts when it comes. */
export async function learn() {
  asked = Date.now();
  await Promise.race([tell({ do: "composer" }).then(take), new Promise((go) => setTimeout(go, PATIENCE))]);
}

/** Asks again, if the last time is long ago. */
export function refresh() {
  if (Date.now() - asked > OLD) void learn();
}

/** @param {Settings | undefined} settings */
function take(settings) {
  if (!settings) return;
  known.trusted = trusting(settings.trusted);
  known.kind = kindOf(location.hostname, [...settings.kinds, ...KINDS]);
  known.notes = settings.notes;
  known.connected = settings.connected;
}
