// @ts-check
/** What a tab that was closed held, and what was kept from before: to copy, to take into this tab, or to let go. */
import { visible } from "../lib/formats.js";
import { letGo, offers, placeOf, takeBack, watchOffers } from "../store/notes.js";
import { copyButton, draw, el, live, say } from "./parts.js";

/** @typedef {import("../lib/notes.js").Offer} Offer */

/** Characters of it that are shown. */
const SHOWN = 300;
/** The longest that a page waits at a time, in milliseconds. */
const MOST_WAIT = 2 ** 31 - 1;

/**
 * @param {HTMLElement} container
 * @param {chrome.tabs.Tab} tab     which may take them
 * @param {boolean} [kept]          whether what was kept from before is shown as well
 * @returns {() => void}   ends it
 */
export function drawOffers(container, tab, kept = false) {
  let latest = 0;
  let timer = 0;
  const again = async () => {
    const mine = (latest += 1);
    const all = (await offers()).filter((each) => kept || each.until !== 0);
    if (mine !== latest) return;
    draw(container, all.map((each) => offer(each, tab)));
    clearTimeout(timer);
    const soonest = Math.min(...all.filter((each) => each.until !== 0).map((each) => each.until - Date.now()));
    if (soonest < MOST_WAIT) timer = setTimeout(again, Math.max(soonest, 0) + 1);
  };
  const end = watchOffers(() => void again());
  void again();
  return () => {
    latest = -1;
    clearTimeout(timer);
    end();
  };
}

/** @param {Offer} held @param {chrome.tabs.Tab} tab */
function offer(held, tab) {
  const host = URL.canParse(held.address) ? new URL(held.address).host : "";
  const said = say(held.until === 0 ? (host ? "notes_from_before" : "notes_from_before_nowhere") : host ? "notes_closed" : "notes_closed_nowhere", [visible(host)]);
  const id = `held-${held.id}`;
  const text = held.text.trim();
  const part = el("section", { class: "held", "aria-labelledby": id },
    el("p", { id }, el("strong", {}, said)),
    el("blockquote", { class: held.mono && "mono" }, text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text),
    el("div", { class: "actions" },
      copyButton(say("notes_copy"), () => held.text),
      tab.id !== undefined && el("button", { type: "button", class: "small", onclick: () => void take(held, tab, part) }, say("notes_take")),
      el("button", { type: "button", class: "small plain", onclick: () => void drop(held) }, say("notes_let_go")),
      held.until !== 0 && el("small", {}, say("notes_until", [new Date(held.until).toLocaleTimeString(say("ui_language"), { timeStyle: "short" })]))));
  return part;
}

/** @param {Offer} held @param {chrome.tabs.Tab} tab @param {HTMLElement} part   of the page, which says where it finds no room */
async function take(held, tab, part) {
  part.querySelector(".error")?.remove();
  const taken = await takeBack(Number(tab.id), await placeOf(tab), held.id).then(() => true, () => false);
  if (taken) live(say("notes_taken"));
  else part.append(el("p", { class: "error", role: "alert" }, say("options_why_full")));
}

/** @param {Offer} held */
async function drop(held) {
  await letGo(held.id);
  live(say("notes_gone"));
}
