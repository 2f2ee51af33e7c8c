// @ts-check
/**
 * The notes of the tabs: one event after another. A note lives as long as its tab; what a closed tab held is offered for a while.
 *
 * Whoever writes keeps what is typed in a place of their own (`Typed`), which nobody else writes, before anything is waited for.
 * From there it is folded into the note, once: the note knows what it has of each. Two who write at once lose nothing by this.
 * Pure: the time comes with the event.
 */
/** What was typed by one view since the note was `base`; later ones have a higher number. `secret`: in a private window. @typedef {{seq: number, base: string, text: string, secret?: boolean}} Typed */
/**
 * @typedef {object} Note
 * @property {string} id
 * @property {string} text
 * @property {boolean} mono       whether it is code: shown in a font of equal widths
 * @property {string} address     what its tab showed last
 * @property {number} at          when it was changed last, in milliseconds
 * @property {boolean} secret     of a private window: never offered, never kept
 * @property {number} version     one more with each change
 * @property {Record<string, number>} seen   how far each view's typing is in it
 */
/** A note without a tab. `until` is when it is let go; 0 for one that was kept from before. `stays`: its window was closed, perhaps the browser. @typedef {Note & {until: number, stays: boolean}} Offer */
/** @typedef {{notes: Record<string, Note>, typed: Record<string, Record<string, Typed>>, offers: Offer[]}} State */
/**
 * @typedef {| {kind: "written", tab: number, id: string, address: string, secret: boolean, at: number}
 *   | {kind: "styled", tab: number, id: string, address: string, secret: boolean, at: number, mono: boolean}
 *   | {kind: "went", tab: number, address: string}
 *   | {kind: "moved", tab: number, to: number}
 *   | {kind: "closed", tab: number, at: number, window: boolean}
 *   | {kind: "reopened", tab: number, offer: string, id: string, address: string, secret: boolean, at: number}
 *   | {kind: "returned", tab: number, address: string, secret: boolean, at: number}
 *   | {kind: "dropped", offer: string}
 *   | {kind: "swept", tabs: number[], at: number}
 *   | {kind: "kept", notes: Note[], at: number}
 *   | {kind: "forgotten"}} Event
 */

/** How long what a closed tab held is offered, in milliseconds; and of how many tabs at most. */
export const OFFERED = 10 * 60_000;
export const MOST_OFFERS = 50;
/** Characters of a note. */
export const MOST = 200_000;
/** @type {State} */
export const NOTHING = { notes: {}, typed: {}, offers: [] };

/** @type {{[Kind in Event["kind"]]: (state: State, event: any) => State}} */
const AFTER = { written, styled, went, moved, closed, reopened, returned, dropped, swept, kept, forgotten };

/**
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function notes(state, event) {
  return AFTER[event.kind](state, event);
}

/**
 * A note with what was typed and is not in it yet.
 * @param {Note} note
 * @param {Record<string, Typed>} [typed]
 * @returns {Note}   the same one where there is nothing new
 */
export function folded(note, typed = {}) {
  let { text } = note;
  const seen = { ...note.seen };
  for (const [view, each] of Object.entries(typed)) {
    if (each.seq <= (seen[view] ?? 0)) continue;
    text = merged(each.base, text, each.text);
    seen[view] = each.seq;
  }
  const news = Object.keys(seen).some((view) => seen[view] !== note.seen[view]);
  return news ? { ...note, text, seen, version: note.version + 1 } : note;
}

/** @param {Offer} offer @param {number} now */
export function isOffered(offer, now) {
  return offer.until === 0 || (offer.until > now && offer.until <= now + OFFERED);
}

/** Whether there is anything in it. @param {{text: string} | undefined} note */
export function isBlank(note) {
  return !note?.text.trim();
}

/** @param {State} state @param {{tab: number, id: string, address: string, secret: boolean, at: number}} event @returns {State} */
function written(state, { tab, id, address, secret, at }) {
  const was = state.notes[tab] ?? fresh(id, address, secret, at);
  const is = folded(was, state.typed[tab]);
  return is === was ? state : changed(state, tab, { ...is, at });
}

/** @param {State} state @param {any} event @returns {State} */
function styled(state, { tab, id, address, secret, at, mono }) {
  const note = folded(state.notes[tab] ?? fresh(id, address, secret, at), state.typed[tab]);
  return changed(state, tab, { ...note, mono, version: note.version + 1 });
}

/** @param {State} state @param {{tab: number, address: string}} event @returns {State} */
function went(state, { tab, address }) {
  const note = state.notes[tab];
  const [bare] = address.split("#");
  return !note || note.address === bare ? state : changed(state, tab, { ...note, address: bare });
}

/** What was typed under the old number after the move belongs to the new one as well. @param {State} state @param {{tab: number, to: number}} event @returns {State} */
function moved(state, { tab, to }) {
  const from = state.notes[tab];
  const there = state.notes[to] ?? (from && state.typed[to] && fresh(from.id, from.address, from.secret, from.at));
  const note = from && there ? joined(folded(there, state.typed[to]), folded(from, state.typed[tab])) : (from ?? there);
  const typed = state.typed[tab];
  const rest = without(state, tab);
  if (!note) return typed ? changed(rest, to, folded(fresh(`moved ${tab}`, "", isSecret(typed), 0), typed)) : rest;
  return changed(rest, to, from && there ? note : folded(note, typed));
}

/** @param {State} state @param {{tab: number, at: number, window: boolean}} event @returns {State} */
function closed(state, { tab, at, window }) {
  const typed = state.typed[tab];
  const note = state.notes[tab] || typed ? folded(state.notes[tab] ?? fresh(`closed ${tab} ${at}`, "", isSecret(typed), at), typed) : undefined;
  const rest = without(state, tab);
  if (!note || isBlank(note) || note.secret) return rest;
  const offers = [{ ...note, until: at + OFFERED, stays: window }, ...rest.offers];
  return { ...rest, offers: offers.filter((each, place) => each.until === 0 || place < MOST_OFFERS) };
}

/** @param {State} state @param {any} event @returns {State} */
function reopened(state, { tab, offer, id, address, secret, at }) {
  const { until, stays, ...note } = state.offers.find((each) => each.id === offer) ?? { until: 0, stays: false };
  if (!("text" in note)) return state;
  const rest = { ...state, offers: state.offers.filter((each) => each.id !== offer) };
  const there = folded(state.notes[tab] ?? fresh(id, address, secret, at), state.typed[tab]);
  return changed(rest, tab, isBlank(there) ? taken(note, there, at) : joined(there, note));
}

/** What was kept from before goes back to the tab that shows the same address, where it has no notes of its own and is not private. @param {State} state @param {any} event @returns {State} */
function returned(state, { tab, address, secret, at }) {
  const offer = address && state.offers.find((each) => each.until === 0 && each.address === address);
  const there = state.notes[tab];
  if (!offer || secret || !isBlank(there) || state.typed[tab]) return state;
  return reopened(state, { tab, offer: offer.id, id: offer.id, address, secret, at });
}

/** @param {State} state @param {{offer: string}} event @returns {State} */
function dropped(state, { offer }) {
  return { ...state, offers: state.offers.filter((each) => each.id !== offer) };
}

/** Of tabs that closed while nobody heard, and of offers that are too old. @param {State} state @param {{tabs: number[], at: number}} event @returns {State} */
function swept(state, { tabs, at }) {
  const open = new Set(tabs.map(String));
  const orphans = [...new Set([...Object.keys(state.notes), ...Object.keys(state.typed)])].filter((tab) => !open.has(tab));
  const after = orphans.reduce((sofar, tab) => closed(sofar, { tab: Number(tab), at, window: false }), state);
  const offers = after.offers.filter((each) => isOffered(each, at));
  return offers.length === after.offers.length ? after : { ...after, offers };
}

/** @param {State} state @param {{notes: Note[], at: number}} event @returns {State} */
function kept(state, { notes: all }) {
  const known = new Set([...Object.values(state.notes), ...state.offers].map((each) => each.id));
  const news = all.filter((each) => !known.has(each.id) && !isBlank(each)).map((each) => ({ ...each, until: 0, stays: true }));
  return { ...state, offers: [...state.offers, ...news] };
}

/** @param {State} state @returns {State} */
function forgotten(state) {
  return { ...state, offers: state.offers.filter((each) => each.until !== 0).map((each) => ({ ...each, stays: false })) };
}

/** @param {Record<string, Typed>} [typed] */
function isSecret(typed = {}) {
  return Object.values(typed).some((each) => each.secret);
}

/** @param {string} id @param {string} address @param {boolean} secret @param {number} at @returns {Note} */
function fresh(id, address, secret, at) {
  return { id, text: "", mono: false, address, at, secret, version: 0, seen: {} };
}

/** The note of a tab that had none: it stays that tab's in what its views know of it. @param {Note} note @param {Note} there @param {number} at @returns {Note} */
function taken(note, there, at) {
  return { ...note, address: there.address || note.address, at, secret: there.secret, version: there.version + 1, seen: there.seen };
}

/** @param {Note} first @param {Note} second @returns {Note} */
function joined(first, second) {
  if (isBlank(second)) return first;
  const text = isBlank(first) ? second.text : `${first.text.replace(/\n+$/u, "")}\n\n${second.text}`;
  return { ...first, text, mono: first.mono || second.mono, version: first.version + 1 };
}

/** @param {State} state @param {number} tab @param {Note} note @returns {State} */
function changed(state, tab, note) {
  return { ...state, notes: { ...state.notes, [tab]: note } };
}

/** @param {State} state @param {number} tab @returns {State} */
function without(state, tab) {
  const { [tab]: _note, ...rest } = state.notes;
  const { [tab]: _typed, ...typed } = state.typed;
  return { ...state, notes: rest, typed };
}

// ---- one view of a note, while somebody writes in it

export class Writing {
  /** What was shown after each change: first what the note has. @type {{seq: number, text: string}[]} */
  #known;
  #version;

  /**
   * @param {string} view
   * @param {Note | undefined} note
   */
  constructor(view, note) {
    this.view = view;
    this.#known = [{ seq: note?.seen[view] ?? 0, text: note?.text ?? "" }];
    this.#version = note?.version ?? 0;
  }

  get text() {
    return this.#last.text;
  }

  /** Whether the note has all that was typed. */
  get isSettled() {
    return this.#known.length === 1;
  }

  get #last() {
    return this.#known[this.#known.length - 1];
  }

  /**
   * The text is this now.
   * @param {string} text
   * @returns {Typed}   to be kept at once
   */
  type(text) {
    this.#known.push({ seq: this.#last.seq + 1, text });
    return { seq: this.#last.seq, base: this.#known[0].text, text };
  }

  /**
   * The note is another one: `text` has what others wrote as well.
   * @param {Note} note
   * @returns {Typed | undefined}   to be kept at once: what the note does not have yet, as it is written now
   */
  told({ text, version, seen }) {
    if (version <= this.#version) return undefined;
    this.#version = version;
    const had = this.#known.findLast(({ seq }) => seq <= (seen[this.view] ?? 0)) ?? this.#known[0];
    const rest = this.#known.slice(this.#known.indexOf(had) + 1);
    this.#known = [{ seq: had.seq, text }, ...rest.map((each) => ({ seq: each.seq, text: merged(had.text, text, each.text) }))];
    return rest.length ? this.type(this.text) : undefined;
  }
}

// ---- two people's, or one person's two windows', changes to one text: both stay

/** One change: at a place so many characters went, and these came. @typedef {{at: number, gone: number, put: string}} Edit */

const isHigh = (/** @type {string} */ each) => each >= "\ud800" && each <= "\udbff";
const isLow = (/** @type {string} */ each) => each >= "\udc00" && each <= "\udfff";

/**
 * What made one text of the other, as one change; no character is cut in two.
 * @param {string} before
 * @param {string} after
 * @returns {Edit}
 */
export function edit(before, after) {
  const most = Math.min(before.length, after.length);
  let at = 0;
  while (at < most && before[at] === after[at]) at += 1;
  if (at && isHigh(before[at - 1])) at -= 1;
  let same = 0;
  while (same < most - at && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  if (same && isLow(before[before.length - same])) same -= 1;
  return { at, gone: before.length - at - same, put: after.slice(at, after.length - same) };
}

/**
 * A text with what was changed on both sides. Where both changed the same place, what they put there stands in a row, theirs first:
 * what either of them wrote is never taken away by the other.
 * @param {string} base     what both began with
 * @param {string} theirs
 * @param {string} mine
 */
export function merged(base, theirs, mine) {
  if (base === theirs) return mine;
  if (base === mine) return theirs;
  const [a, b] = [edit(base, theirs), edit(base, mine)];
  const [endA, endB] = [a.at + a.gone, b.at + b.gone];
  if (endA <= b.at) return base.slice(0, a.at) + a.put + base.slice(endA, b.at) + b.put + base.slice(endB);
  if (endB <= a.at) return base.slice(0, b.at) + b.put + base.slice(endB, a.at) + a.put + base.slice(endA);
  return base.slice(0, Math.min(a.at, b.at)) + a.put + b.put + base.slice(Math.max(endA, endB));
}

/**
 * Where a place in a text is after a change of somebody else: what they put right there comes after it.
 * @param {number} place
 * @param {Edit} change
 */
export function shifted(place, { at, gone, put }) {
  if (place <= at) return place;
  return place >= at + gone ? place - gone + put.length : at + put.length;
}
