// @ts-check
/** The background. All listeners are registered while it is loaded, so that nothing is lost when the browser stops the worker. */
import { markdown } from "../lib/formats.js";
import { patternOf } from "../lib/link.js";
import { trusting } from "../lib/trust.js";
import { claim, forget, keep, tabs } from "../store/used.js";
import { act, noteIn } from "../store/notes.js";
import { pageIn } from "../store/pages.js";
import { composer, settings, trust, watch as watchSettings } from "../store/settings.js";
import { flash, unkept } from "./pages.js";
import { finish, propose, see } from "./team.js";

// ---- what pages and the part in a page ask, and are told

/** @typedef {Record<string, (message: any, sender: chrome.runtime.MessageSender) => unknown>} Handlers   by what is asked */

/** @type {Handlers} */
const DO = {
  composer: () => composer(),
  trust: ({ domain }) => trust([...trusting([String(domain)])][0]),
  health: ({ editor, note, writes }, { tab, documentId }) =>
    tab?.id !== undefined && documentId !== undefined && keep(tab.id, { document: documentId, editor, note, writes }),
  claim: (_, { tab, documentId }) => tab?.id !== undefined && documentId !== undefined && claim(tab.id, documentId),
  look: (_, sender) => fromUi(sender) && see().then(() => true),
  connect: (_, sender) => fromUi(sender) && finish().then(() => true),
  propose: ({ domain }) => propose(String(domain)),
};

/** @param {chrome.runtime.MessageSender} sender */
function fromUi({ url = "" }) {
  return url.startsWith(chrome.runtime.getURL("ui/"));
}

// What is kept here and in the session is the companion's alone: no part of it that runs in a page may read it.
for (const place of [chrome.storage.local, chrome.storage.session]) void place.setAccessLevel({ accessLevel: "TRUSTED_CONTEXTS" });

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  const act = sender.id === chrome.runtime.id && Object.hasOwn(DO, message?.do) ? DO[message.do] : undefined;
  if (!act) return false;
  Promise.resolve()
    .then(() => act(message, sender))
    .then(answer, () => answer(undefined));
  return true;
});

watchSettings(async () => {
  for (const tab of await tabs()) void chrome.tabs.sendMessage(tab, { do: "learn" }).catch(() => undefined);
});

// ---- notes follow their tabs: to another number when a tab is discarded, to another address, and to the offer when it is closed

/** What the worker was woken for comes first: a tab that was replaced is moved before those that are gone are swept. In milliseconds. */
const SWEEP = 2000;
/** How long until what found no room is tried again, in milliseconds: short enough for the browser to let the worker live. */
const AGAIN = 2000;
/** One event after another. */
let lastNote = Promise.resolve();

chrome.tabs.onReplaced.addListener((to, tab) => follow({ kind: "moved", tab, to }));
chrome.tabs.onRemoved.addListener((tab, { isWindowClosing }) => follow({ kind: "closed", tab, at: Date.now(), window: isWindowClosing }));
chrome.tabs.onReplaced.addListener((_, tab) => forget(tab));
chrome.tabs.onRemoved.addListener((tab) => forget(tab));
chrome.webNavigation.onCommitted.addListener(arrived);
chrome.webNavigation.onHistoryStateUpdated.addListener(arrived);

setTimeout(async () => {
  const open = (await chrome.tabs.query({})).flatMap(({ id }) => id ?? []);
  for (const tab of await tabs()) if (!open.includes(tab)) forget(tab);
  follow({ kind: "swept", tabs: open, at: Date.now() });
}, SWEEP);

/** @param {import("../lib/notes.js").Event} event */
function follow(event) {
  lastNote = lastNote.then(() => followed(event));
}

/** Until it could be done, and said: nothing of it is lost meanwhile, and should the worker end, the sweep does it. @param {import("../lib/notes.js").Event} event */
async function followed(event) {
  for (let failed = false; ; failed = true) {
    const problem = await act(event).then(() => undefined, (why) => why);
    if (failed || problem) unkept(problem);
    if (!problem) return;
    await new Promise((go) => setTimeout(go, AGAIN));
  }
}

/** @param {{tabId: number, frameId: number, url: string}} page */
async function arrived({ tabId, frameId, url }) {
  if (frameId === 0 && (await noteIn(tabId))) follow({ kind: "went", tab: tabId, address: url });
}

// ---- the composer on other origins than Intercom's: Chrome is told to begin it on each that has an editor set and a permission given.
// It keeps that when it stops the worker, but forgets it with an update and follows neither settings nor permissions: so it is put
// in step whenever the worker starts and whenever one of them changes

const ID = "editor ";
let step = Promise.resolve();

watchSettings(keepInStep);
chrome.permissions.onAdded.addListener(keepInStep);
chrome.permissions.onRemoved.addListener(keepInStep);
chrome.runtime.onInstalled.addListener(keepInStep);
chrome.runtime.onStartup.addListener(keepInStep);
keepInStep();

/** One time after the other, so that the last sees what all have done. */
function keepInStep() {
  step = step.then(register).catch((problem) => console.warn("editors", problem));
}

async function register() {
  const [wanted, known] = await Promise.all([allowed(), chrome.scripting.getRegisteredContentScripts()]);
  const ids = new Set(wanted.map(({ id }) => id));
  const there = new Set(known.map(({ id }) => id));
  const gone = [...there].filter((id) => id.startsWith(ID) && !ids.has(id));
  const more = wanted.filter(({ id }) => !there.has(id));
  if (gone.length) await chrome.scripting.unregisterContentScripts({ ids: gone });
  if (more.length) await chrome.scripting.registerContentScripts(more);
}

/**
 * What is begun on each origin that may be read. Where the manifest begins it already there is nothing to do.
 * @returns {Promise<chrome.scripting.RegisteredContentScript[]>}
 */
async function allowed() {
  const { content_scripts: begun = [] } = /** @type {{content_scripts?: {matches: string[]}[]}} */ (chrome.runtime.getManifest());
  const own = begun.flatMap(({ matches }) => matches);
  const { editors } = await settings();
  const others = editors.map(({ origin }) => origin).filter((origin) => !own.includes(patternOf(origin)));
  const may = await Promise.all(others.map((origin) => chrome.permissions.contains({ origins: [patternOf(origin)] })));
  return others.filter((_, at) => may[at]).map(script);
}

/** @param {string} origin @returns {chrome.scripting.RegisteredContentScript} */
function script(origin) {
  return {
    id: ID + origin,
    matches: [`${origin}/*`],
    js: ["composer/start.js"],
    runAt: "document_start",
    allFrames: true,
    matchOriginAsFallback: true,
    persistAcrossSessions: true,
  };
}

// ---- what the keys do: the panel opens only while the key still counts as the user's own deed, before anything is waited for

const PANEL = "ui/panel.html";
const say = (/** @type {string} */ key, /** @type {string[]} */ values = []) => chrome.i18n.getMessage(key, values);

chrome.commands.onCommand.addListener((command, tab) => {
  if (tab?.id === undefined) return;
  if (command === "panel") openPanel(tab.windowId, PANEL);
  if (command === "notes") openPanel(tab.windowId, `${PANEL}#notes`);
  if (command === "copy") void copy(tab.id);
});

/**
 * @param {number} windowId
 * @param {string} path
 */
function openPanel(windowId, path) {
  void chrome.sidePanel.setOptions({ path });
  void chrome.sidePanel.open({ windowId });
}

/**
 * Copies the headers of a tab's page. The page's own clipboard is used, as the key's permission for the tab allows: the
 * companion asks for none of its own. The page counts the key as pressed in it once something runs there by it, for some
 * seconds: so that comes first.
 * @param {number} tab
 */
async function copy(tab) {
  const target = { tabId: tab };
  const pressed = chrome.scripting.executeScript({ target, func: () => navigator.userActivation.isActive });
  const [{ page }] = await Promise.all([pageIn(tab), pressed.catch(() => undefined)]);
  if (!page?.seen) return flash(tab, { sign: "?", colour: "unknown", title: say("badge_nothing") });
  const told = chrome.scripting.executeScript({ target, func: /** @type {any} */ (place), args: [markdown(page, say)] });
  const done = (await told.catch(() => []))[0]?.result === true;
  await flash(tab, done ? { sign: "MD", colour: "good", title: say("badge_copied") } : { sign: "!", colour: "bad", title: say("badge_not_copied") });
}

/**
 * Runs in the page, on its own. Pages without HTTPS have no `navigator.clipboard`, so it is done as a key press would.
 * @param {string} text
 */
function place(text) {
  let placed = false;
  /** @param {ClipboardEvent} event */
  const act = (event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
    placed = true;
  };
  window.addEventListener("copy", act, { capture: true });
  const done = document.execCommand("copy");
  window.removeEventListener("copy", act, { capture: true });
  return done && placed;
}

// ---- once, when the companion was installed: what there is to choose

chrome.runtime.onInstalled.addListener(({ reason }) => {
  if (reason === "install") void chrome.tabs.create({ url: "ui/options.html#welcome" });
});
