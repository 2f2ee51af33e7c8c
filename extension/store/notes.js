// @ts-check
/**
 * Where the notes are: in the session, a key a tab, and a key for each view that writes in it (lib/notes.js says why). They end
 * with the browser, unless they are kept: then each lies sealed in `local` as well, and the key to them in the session alone.
 */
import { isBlank, isOffered, notes, NOTHING } from "../lib/notes.js";
import { coded, isLock, keyOf, open, ROUNDS, seal } from "../lib/sealed.js";
import { pageIn } from "./pages.js";

/** @typedef {import("../lib/notes.js").Event} Event */
/** @typedef {import("../lib/notes.js").Note} Note */
/** @typedef {import("../lib/notes.js").Offer} Offer */
/** @typedef {import("../lib/notes.js").State} State */
/** @typedef {import("../lib/notes.js").Typed} Typed */
/** What is known of the tab that is written for. @typedef {{address: string, secret: boolean}} Place */

/** Everything is read and written by one at a time; what a view types is not (`type`). */
const LOCK = "notes";
const OFFERS = "notes offered";
const KEY = "notes key";
const KEPT = "notes kept";
const PROOF = "the passphrase is right";
const VIEWS = ["1", "2", "3", "4", "5", "6", "7", "8"];
const NOTE = /^note (\d+)(?: typed (\d+))?$/u;

/** @param {number | string} tab */
const noteKey = (tab) => `note ${tab}`;
/** @param {number | string} tab @param {string} view */
const typedKey = (tab, view) => `note ${tab} typed ${view}`;
/** @param {string} id */
const keptKey = (id) => `kept note ${id}`;
/** @param {string} id */
const sealedAs = (id) => `steelyard note 1 ${id}`;
/** @param {number} bytes */
const random = (bytes) => coded(crypto.getRandomValues(new Uint8Array(bytes)));

/**
 * Keeps what was typed. Sent before it returns: not even the end of who calls it loses it.
 * @param {number} tab
 * @param {string} view
 * @param {Typed} typed
 * @returns {Promise<void>}   fails where the browser has no room
 */
export function type(tab, view, typed) {
  return chrome.storage.session.set({ [typedKey(tab, view)]: typed });
}

/** What was typed is in the note by now. @param {number} tab @param {string} view */
export function typedIsIn(tab, view) {
  return chrome.storage.session.remove(typedKey(tab, view));
}

/** Has what was typed in a tab folded into its note. @param {number} tab @param {Place} place */
export const write = (tab, place) => act({ kind: "written", tab, id: crypto.randomUUID(), at: Date.now(), ...place });
/** @param {number} tab @param {Place} place @param {boolean} mono */
export const style = (tab, place, mono) => act({ kind: "styled", tab, id: crypto.randomUUID(), at: Date.now(), mono, ...place });
/** @param {number} tab @param {Place} place @param {string} offer */
export const takeBack = (tab, place, offer) => act({ kind: "reopened", tab, offer, id: crypto.randomUUID(), at: Date.now(), ...place });
/** @param {string} offer */
export const letGo = (offer) => act({ kind: "dropped", offer });
/** @param {number} tab @param {number} to */
export const move = (tab, to) => act({ kind: "moved", tab, to });

/**
 * The note of a tab, with all that was typed.
 * @param {number} tab
 * @returns {Promise<Note | undefined>}
 */
export async function noteIn(tab) {
  const { [noteKey(tab)]: note } = await chrome.storage.session.get(noteKey(tab));
  return /** @type {Note | undefined} */ (note);
}

/**
 * What no tab has any more, and is offered; the latest first.
 * @returns {Promise<Offer[]>}
 */
export async function offers() {
  const { [OFFERS]: all = [] } = /** @type {Record<string, Offer[]>} */ (await chrome.storage.session.get(OFFERS));
  return all.filter((each) => isOffered(each, Date.now()));
}

/**
 * One event after another, whoever tells it.
 * @param {Event} event
 * @returns {Promise<State>}   of the tabs concerned
 */
export function act(event) {
  return navigator.locks.request(LOCK, async () => {
    const before = event.kind === "swept" || event.kind === "kept" || event.kind === "forgotten" ? await readAll() : await read(event);
    const after = notes(before, event);
    await put(before, after);
    await putSealed(before, after);
    return after;
  });
}

/**
 * A place to type in that is this page's alone, until it ends.
 * @returns {Promise<string>}   waits where too many pages write
 */
export function claimView() {
  return new Promise((given) => {
    const claim = async () => {
      for (const view of VIEWS) if (await held(view, { ifAvailable: true })) return;
      await held(VIEWS[0], {});
    };
    /** @param {string} view @param {LockOptions} how @returns {Promise<boolean>} */
    const held = (view, how) =>
      new Promise((done) => {
        void navigator.locks.request(`${LOCK} view ${view}`, how, (lock) => {
          done(lock !== null);
          if (!lock) return undefined;
          given(view);
          return new Promise(() => undefined);
        });
      });
    void claim();
  });
}

/**
 * Acts when the note of a tab is another one.
 * @param {number} tab
 * @param {(note: Note) => void} then
 * @returns {() => void}   ends it
 */
export function watchNote(tab, then) {
  return watching((changes) => {
    const note = changes[noteKey(tab)]?.newValue;
    if (note) then(/** @type {Note} */ (note));
  });
}

/** Acts when something else is offered, or kept. @param {() => void} then @returns {() => void}   ends it */
export function watchOffers(then) {
  return watching((changes) => (OFFERS in changes || KEY in changes || KEPT in changes) && then());
}

/** @param {(changes: Record<string, chrome.storage.StorageChange>) => unknown} then */
function watching(then) {
  /** @param {Record<string, chrome.storage.StorageChange>} changes */
  const heard = (changes) => void then(changes);
  const places = [chrome.storage.session, chrome.storage.local];
  for (const place of places) place.onChanged.addListener(heard);
  return () => {
    for (const place of places) place.onChanged.removeListener(heard);
  };
}

/** How much of what the browser gives all notes and pages together is taken, from 0 to 1. */
export async function fullness() {
  return (await chrome.storage.session.getBytesInUse()) / chrome.storage.session.QUOTA_BYTES;
}

/**
 * Whether notes are kept across a restart: `locked` until the passphrase was typed in this run of the browser, and `damaged`
 * where none can open them.
 * @returns {Promise<"off" | "locked" | "on" | "damaged">}
 */
export async function keeping() {
  const [{ [KEPT]: lock }, { [KEY]: key }] = await Promise.all([chrome.storage.local.get(KEPT), chrome.storage.session.get(KEY)]);
  return lock === undefined ? "off" : !isLock(lock) ? "damaged" : key ? "on" : "locked";
}

/** Keeps the notes from now on. @param {string} passphrase   it is kept nowhere */
export async function keep(passphrase) {
  const salt = random(16);
  const key = await keyOf(passphrase, salt, ROUNDS);
  /** @type {import("../lib/sealed.js").Lock} */
  const lock = { salt, rounds: ROUNDS, proof: await seal(key, sealedAs(""), PROOF, random(12)) };
  await navigator.locks.request(LOCK, async () => {
    await chrome.storage.local.set({ [KEPT]: lock });
    await chrome.storage.session.set({ [KEY]: key });
    await putSealed(NOTHING, await readAll());
  });
}

/**
 * Opens what was kept from before: it is offered, and goes back to the tabs that show the same address.
 * @param {string} passphrase
 * @returns {Promise<boolean>}   false where it is not the right one; fails where there is no room
 */
export async function unlock(passphrase) {
  const local = await chrome.storage.local.get();
  const lock = local[KEPT];
  if (!isLock(lock)) return false;
  const key = await keyOf(passphrase, lock.salt, lock.rounds);
  if ((await open(key, sealedAs(""), lock.proof)) !== PROOF) return false;
  await chrome.storage.session.set({ [KEY]: key });
  await offerKept(local, key);
  return true;
}

/** @param {Record<string, unknown>} local @param {string} key */
async function offerKept(local, key) {
  const found = Object.keys(local).filter((name) => name.startsWith(keptKey(""))).map((name) => name.slice(keptKey("").length));
  const all = await Promise.all(found.map((id) => open(key, sealedAs(id), local[keptKey(id)])));
  const news = all.filter((each) => each !== undefined).sort((a, b) => b.at - a.at).map((each) => ({ ...each, seen: {}, version: 1 }));
  const state = await act({ kind: "kept", notes: news, at: Date.now() });
  await navigator.locks.request(LOCK, () => putSealed(NOTHING, state));
}

/**
 * Ends the keeping, and forgets what was kept; the notes of open tabs stay as long as these.
 * @returns {Promise<() => Promise<void>>}   has all kept again as it was
 */
export async function forget() {
  const was = await allKept();
  const { [KEY]: key } = /** @type {Record<string, string>} */ (await chrome.storage.session.get(KEY));
  await act({ kind: "forgotten" });
  await navigator.locks.request(LOCK, async () => {
    await chrome.storage.session.remove(KEY);
    await chrome.storage.local.remove(Object.keys(await allKept()));
  });
  return async () => {
    await navigator.locks.request(LOCK, async () => {
      await chrome.storage.local.set(was);
      await chrome.storage.local.remove(Object.keys(await allKept()).filter((name) => !(name in was)));
      await (key ? chrome.storage.session.set({ [KEY]: key }) : chrome.storage.session.remove(KEY));
    });
    if (key) await offerKept(was, key);
  };
}

async function allKept() {
  const local = Object.entries(await chrome.storage.local.get());
  return Object.fromEntries(local.filter(([name]) => name === KEPT || name.startsWith(keptKey(""))));
}

/** Only what an event of these tabs needs: this is done for each key that is pressed. @param {Event} event @returns {Promise<State>} */
async function read(event) {
  const tabs = [event].flatMap((each) => [...("tab" in each ? [each.tab] : []), ...("to" in each ? [each.to] : [])]);
  return stateOf(await chrome.storage.session.get([OFFERS, ...tabs.flatMap((tab) => [noteKey(tab), ...VIEWS.map((view) => typedKey(tab, view))])]));
}

async function readAll() {
  return stateOf(await chrome.storage.session.get());
}

/** @param {Record<string, any>} kept @returns {State} */
function stateOf(kept) {
  /** @type {State} */
  const state = { notes: {}, typed: {}, offers: kept[OFFERS] ?? [] };
  for (const [name, value] of Object.entries(kept)) {
    const [, tab, view] = NOTE.exec(name) ?? [];
    if (view) (state.typed[tab] ??= {})[view] = value;
    else if (tab) state.notes[tab] = value;
  }
  return state;
}

/** Writes what differs: first what is there now, then away with what has gone. @param {State} before @param {State} after */
async function put(before, after) {
  /** @type {Record<string, unknown>} */
  const changed = {};
  for (const [tab, note] of Object.entries(after.notes)) if (note !== before.notes[tab]) changed[noteKey(tab)] = note;
  if (after.offers !== before.offers) changed[OFFERS] = after.offers;
  if (Object.keys(changed).length) await chrome.storage.session.set(changed);
  const notesGone = Object.keys(before.notes).filter((tab) => !after.notes[tab]).map(noteKey);
  const typedGone = Object.entries(before.typed).filter(([tab]) => !after.typed[tab]).flatMap(([tab, views]) => Object.keys(views).map((view) => typedKey(tab, view)));
  if (notesGone.length || typedGone.length) await chrome.storage.session.remove([...notesGone, ...typedGone]);
}

/** Where notes are kept: seals those that differ, and forgets those that no tab and no offer has any more. @param {State} before @param {State} after */
async function putSealed(before, after) {
  const { [KEY]: key } = /** @type {Record<string, string>} */ (await chrome.storage.session.get(KEY));
  if (!key) return;
  const [was, is] = [toKeep(before), toKeep(after)];
  const changed = Object.values(is).filter((each) => each !== was[each.id]);
  const sealed = await Promise.all(changed.map(async ({ seen: _seen, ...each }) => [keptKey(each.id), await seal(key, sealedAs(each.id), each, random(12))]));
  if (sealed.length) await chrome.storage.local.set(Object.fromEntries(sealed));
  const gone = Object.keys(was).filter((id) => !is[id]).map(keptKey);
  if (gone.length) await chrome.storage.local.remove(gone);
}

/** @param {State} state @returns {Record<string, Note>} */
function toKeep({ notes: all, offers: offered }) {
  const kept = [...Object.values(all), ...offered.filter((each) => each.stays)].filter((each) => !isBlank(each) && !each.secret);
  return Object.fromEntries(kept.map((each) => [each.id, each]));
}

// ---- where a note is written: the address that its tab shows, as far as the companion may know it

/**
 * @param {chrome.tabs.Tab} tab
 * @returns {Promise<Place>}
 */
export async function placeOf(tab) {
  const id = Number(tab.id);
  const [{ page }, now] = await Promise.all([pageIn(id), chrome.tabs.get(id).catch(() => tab)]);
  return { address: (now.url ?? page?.at ?? "").split("#")[0], secret: tab.incognito };
}
