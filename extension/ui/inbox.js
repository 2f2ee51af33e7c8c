// @ts-check
/** What is put into the composer of an inbox. Apart from what offers it: a popup has no use for all this takes before a press. */
import { KINDS } from "../composer/editors.js";
import { defang } from "../lib/defang.js";
import { note, visible } from "../lib/formats.js";
import { trusting } from "../lib/trust.js";
import { composer } from "../store/settings.js";
import { say } from "./parts.js";

/** @typedef {{say: string, values: string[], ok: boolean}} Done */

/**
 * Puts the headers of a page into the internal note of the inbox that was looked at last.
 * @param {import("../lib/chain.js").Page} page
 */
export async function noteOf(page) {
  const { trusted } = await composer();
  return into(undefined, note(page, say, (text) => defang(text, trusting(trusted))), true);
}

/**
 * Puts a text into a composer: the one of this tab, else the one of the inbox that was looked at last.
 * @param {chrome.tabs.Tab | undefined} tab
 * @param {string} text       made safe there, as anything that is pasted
 * @param {boolean} note      into the internal note
 * @returns {Promise<Done>}
 */
export async function into(tab, text, note) {
  const inbox = await inboxes();
  const to = inbox.find((each) => each.id === tab?.id) ?? inbox[0];
  if (to?.id === undefined) return { say: "notes_no_inbox", values: [], ok: false };
  const answer = await chrome.tabs.sendMessage(to.id, { do: "insert", text, note }).catch(() => undefined);
  if (answer?.ok) return { say: note ? "notes_in_note" : "notes_in_reply", values: [visible(to.title ?? "").slice(0, 80)], ok: true };
  return { say: answer ? (note ? "composer_no_note" : "composer_none") : "notes_not_inserted", values: [], ok: false };
}

/** Tabs with an inbox, the one that was looked at last first. */
async function inboxes() {
  const { kinds } = await composer();
  const hosts = [...KINDS, ...kinds].flatMap((each) => each.hosts ?? []);
  const all = (await chrome.tabs.query({})).filter(({ url = "" }) => URL.canParse(url) && hosts.includes(new URL(url).hostname));
  return all.sort((one, other) => (other.lastAccessed ?? 0) - (one.lastAccessed ?? 0));
}
