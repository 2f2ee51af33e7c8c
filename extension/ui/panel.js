// @ts-check
/**
 * The side panel: four parts on one tab of the browser. It follows the active tab of its window, or stays with one. Whatever is
 * drawn is drawn for the tab named at the top: what was begun for another one is thrown away.
 */
import { visible } from "../lib/formats.js";
import { pageIn, watchAll } from "../store/pages.js";
import { move } from "../store/notes.js";
import { drawOffers } from "./offers.js";
import { el, fill, live, say, tabIn } from "./parts.js";

/** @typedef {chrome.tabs.Tab & {id: number}} Tab */
/** Draws for a tab; what it gives back ends it. @typedef {(container: HTMLElement, tab: Tab) => unknown} Draw */

/** Loaded when they are shown. @type {Record<string, () => Promise<Draw>>} */
const PARTS = {
  site: () => import("./site.js").then(({ drawSite }) => drawSite),
  headers: () => import("./headers.js").then(({ drawHeaders }) => drawHeaders),
  notes: () => import("./notes.js").then(({ drawNotes }) => drawNotes),
  toolbox: () => import("./toolbox.js").then(({ drawToolbox }) => /** @type {Draw} */ (drawToolbox)),
};
const NAMES = Object.keys(PARTS);

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const panel = byId("part");
const tabs = NAMES.map((name) => byId(`tab-${name}`));
/** The toolbox is one for all tabs: a run that it shows goes on being shown. */
const toolbox = el("div", { class: "stack part toolbox" });
let drawnToolbox = Promise.resolve();
let endToolbox = () => {};
/** Which drawing is the latest one. */
let latest = 0;
/** @type {Tab | undefined} */
let tab;
let stays = new URL(location.href).searchParams.has("tab");
/** @type {unknown} */
let end;

fill();
void PARTS[chosenPart()]().catch(() => undefined); // loaded while the browser is asked about the tab; what fails is told when it is drawn
const [own, here] = await Promise.all([chrome.tabs.getCurrent(), chrome.windows.getCurrent()]);
for (const each of tabs) each.addEventListener("click", () => choose(each));
byId("tabs").addEventListener("keydown", moved);
byId("stay").addEventListener("click", () => (stays ? follow() : stay()));
addEventListener("hashchange", () => void draw());
chrome.tabs.onActivated.addListener(({ tabId, windowId }) => !stays && windowId === here.id && tabId !== own?.id && void show(tabId));
chrome.tabs.onReplaced.addListener((to, from) => from === tab?.id && void replaced(to, from));
chrome.tabs.onRemoved.addListener((gone) => gone === tab?.id && void closed());
chrome.tabs.onUpdated.addListener((changed, _how, is) => changed === tab?.id && void updated(/** @type {Tab} */ (is)));
watchAll((changed) => changed === tab?.id && void updated(tab));
press();
await show((await tabIn())?.id);

/** @param {number} [id] */
async function show(id) {
  const mine = (latest += 1);
  const found = id === undefined ? undefined : await chrome.tabs.get(id).catch(() => undefined);
  if (mine !== latest) return;
  tab = found?.id === undefined || found.id === own?.id ? undefined : /** @type {Tab} */ (found);
  await draw();
}

/** Draws the chosen part of the tab. The name above it and what is below change together. */
async function draw() {
  const mine = (latest += 1);
  const chosen = chosenPart();
  for (const each of tabs) {
    each.setAttribute("aria-selected", String(each.id === `tab-${chosen}`));
    each.tabIndex = each.id === `tab-${chosen}` ? 0 : -1;
  }
  panel.setAttribute("aria-labelledby", `tab-${chosen}`);
  if (typeof end === "function") end();
  end = undefined;
  panel.replaceChildren();
  byId("name").textContent = byId("title").textContent = "";
  const nothing = el("p", { class: "quiet" }, say("panel_none"));
  if (!tab && chosen !== "toolbox") return panel.replaceChildren(nothing);
  const about = tab && { ...tab, url: await addressOf(tab) };
  const drawn = await PARTS[chosen]().catch((problem) => problem);
  await name();
  if (mine !== latest) return;
  const offers = el("div", { class: "stack tight offers" });
  const part = chosen === "toolbox" ? toolbox : el("div", { class: `stack part ${chosen}` });
  panel.replaceChildren(...(about ? [offers] : [nothing]), part);
  if (typeof drawn !== "function") return part.replaceChildren(el("p", { class: "notice bad" }, say("panel_failed", [visible(String(drawn))])));
  const ends = about ? [drawOffers(offers, about, chosen === "notes")] : [];
  if (chosen === "toolbox") drawToolbox(about);
  else if (about) ends.push(drawn(part, about));
  end = () => ends.forEach((each) => typeof each === "function" && each());
}

/** The part that the address names. */
function chosenPart() {
  const named = location.hash.slice(1);
  return NAMES.includes(named) ? named : NAMES[0];
}

/** What the tab shows, also where only the loads of pages tell it. @param {Tab} of */
async function addressOf(of) {
  return of.url ?? (await pageIn(of.id)).page?.at ?? "";
}

/** Says at the top whose page this is about. */
async function name() {
  const of = tab;
  if (!of) return;
  const address = await addressOf(of);
  if (of.id !== tab?.id) return;
  const { host = "", protocol = "" } = URL.canParse(address) ? new URL(address) : {};
  byId("name").textContent = /^https?:$/u.test(protocol) ? visible(host) : say("ui_no_site");
  byId("title").textContent = visible(tab.title && tab.title !== address ? tab.title : address);
  byId("name").title = visible(address);
}

/** The parts hear by themselves of what a tab shows; the toolbox is told. @param {Tab} is */
async function updated(is) {
  tab = is;
  await name();
  if (toolbox.isConnected && tab?.id === is.id) drawToolbox({ ...is, url: await addressOf(is) });
}

/**
 * Drawn once for a page: what was typed in it stays. It shows nothing while what it shows may be of another tab.
 * @param {Tab | undefined} about
 */
function drawToolbox(about) {
  const address = `${about?.id} ${about?.url}`;
  if (toolbox.dataset.about === address) return;
  toolbox.classList.add("waits");
  toolbox.dataset.about = address;
  drawnToolbox = drawnToolbox.then(async () => {
    const act = await PARTS.toolbox();
    if (toolbox.dataset.about !== address) return;
    endToolbox();
    endToolbox = /** @type {() => void} */ (act(toolbox, /** @type {Tab} */ (about)));
    toolbox.classList.remove("waits");
  });
}

/** A tab that is discarded gets another number: what was typed for the old one since then comes along. @param {number} to @param {number} from */
async function replaced(to, from) {
  await show(to);
  await move(from, to);
}

async function closed() {
  if (stays) live(say("panel_gone"));
  await follow();
}

async function follow() {
  stays = false;
  press();
  const [active] = await chrome.tabs.query({ active: true, windowId: here.id });
  if (active?.id !== own?.id || tab === undefined) await show(active?.id);
}

function stay() {
  stays = true;
  press();
}

function press() {
  byId("stay").setAttribute("aria-pressed", String(stays));
}

/** @param {HTMLElement} to */
function choose(to) {
  history.replaceState(null, "", `#${to.id.slice("tab-".length)}`);
  to.focus();
  void draw();
}

/** @param {KeyboardEvent} event */
function moved(event) {
  const at = tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, number>} */
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 };
  if (at < 0 || !(event.key in to) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  choose(tabs[(to[event.key] + tabs.length) % tabs.length]);
}
