// @ts-check
/** The connection with the team's Steelyard, kept up by occasions: the worker's start, and pages that open. Nothing is polled. */
import { patternOf, readLink } from "../lib/link.js";
import { trusting } from "../lib/trust.js";
import { ask, connect, connecting, keepConnecting, look, refresh } from "../store/team.js";

chrome.permissions.onAdded.addListener(({ origins = [] }) => void see(origins));
chrome.storage.managed.onChanged.addListener(keepUp);
keepUp();

/** The company's policy may have named another server: then the connection ends. */
function keepUp() {
  void refresh().catch((problem) => console.warn("team", problem));
}

/**
 * Has its server tell whom the link connects that a page kept, once it may be spoken to. That page may be gone by now: what came
 * of it is kept for the next one.
 * @param {string[]} [given]   what the browser was just asked for: another permission is no yes to this server
 */
export function see(given) {
  return navigator.locks.request("team look", async () => {
    const waits = await connecting();
    if (!waits?.link || waits.whom || waits.problem || !(await mayReach(waits.link, given))) return;
    await keepConnecting(waits.link, await look(waits.link));
  });
}

/** Connects by that link, once somebody has seen whom it connects. */
export async function finish() {
  const waits = await connecting();
  if (!waits?.whom) return;
  const { ok, problem } = await connect(waits.link);
  await keepConnecting(ok ? "" : waits.link, { problem });
}

/** Whether the browser lets the link's server be spoken to. @param {string} text @param {string[]} [given] */
function mayReach(text, given) {
  const link = readLink(text);
  if ("refused" in link) return true;
  const origin = patternOf(link.origin);
  return (!given || given.includes(origin)) && chrome.permissions.contains({ origins: [origin] });
}

/** @param {string} domain   that the team is asked to trust @returns {Promise<true | import("../store/team.js").Problem>} */
export async function propose(domain) {
  const [known] = trusting([domain]);
  const { problem } = await ask("/api/companion/trust", { method: "POST", body: { domain: known } });
  return problem ?? true;
}
