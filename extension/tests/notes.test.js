/** What becomes of a note when its tab moves, closes or comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folded, isOffered, MOST_OFFERS, notes, NOTHING, OFFERED } from "../lib/notes.js";

const PLACE = { address: "https://shop.example/", secret: false };
const NOW = 1_000_000;

const after = (state, ...events) => events.reduce(notes, state);
const typed = (tab, text, { base = "", seq = 1, view = "1" } = {}) => (state) => ({ ...state, typed: { ...state.typed, [tab]: { ...state.typed[tab], [view]: { seq, base, text } } } });
const written = (tab, id = `id ${tab}`) => ({ kind: "written", tab, id, at: NOW, ...PLACE });
const closed = (tab, at = NOW, window = false) => ({ kind: "closed", tab, at, window });
const with_ = (tab, text, id) => after(typed(tab, text)(NOTHING), written(tab, id));

test("what was typed is in the note, once", () => {
  const one = with_(7, "a note");
  assert.deepEqual([one.notes[7].text, one.notes[7].version, one.notes[7].address], ["a note", 1, PLACE.address]);
  assert.equal(after(one, written(7)), one);
  assert.equal(folded(one.notes[7], one.typed[7]), one.notes[7]);
});

test("what is in the note is not put in again when another view types", () => {
  const state = typed(7, "a note, and more", { view: "2", base: "a note" })(with_(7, "a note"));
  assert.equal(after(state, written(7)).notes[7].text, "a note, and more");
});

test("two views that typed since the same note are both in it", () => {
  const state = typed(7, "first: two", { view: "2", base: "first" })(typed(7, "ONE first", { view: "1", base: "first", seq: 2 })(with_(7, "first")));
  assert.equal(after(state, written(7)).notes[7].text, "ONE first: two");
});

test("a discarded tab's note moves to its new number, with what was typed under the old one meanwhile", () => {
  const moved = after(with_(7, "a note"), { kind: "moved", tab: 7, to: 8 });
  assert.deepEqual(Object.keys(moved.notes), ["8"]);
  assert.deepEqual(moved.typed[7], undefined);
  const late = after(typed(7, "a note!", { base: "a note", seq: 2 })(moved), { kind: "moved", tab: 7, to: 8 });
  assert.equal(late.notes[8].text, "a note!");
  assert.deepEqual([late.notes[7], late.typed[7]], [undefined, undefined]);
});

test("what was typed and never folded moves and is offered as well", () => {
  assert.equal(after(typed(7, "just typed")(NOTHING), { kind: "moved", tab: 7, to: 8 }).notes[8].text, "just typed");
  assert.equal(after(typed(7, "just typed")(NOTHING), closed(7)).offers[0].text, "just typed");
  assert.equal(after(typed(7, "a note!", { base: "a note", seq: 2 })(with_(7, "a note")), closed(7)).offers[0].text, "a note!");
});

test("moving onto a tab that has notes keeps both", () => {
  const both = after(typed(8, "there")(with_(7, "here")), written(8), { kind: "moved", tab: 7, to: 8 });
  assert.equal(both.notes[8].text, "there\n\nhere");
});

test("what a closed tab held is offered for ten minutes, and is in no tab", () => {
  const { offers, notes: left, typed: rest } = after(with_(7, "a note"), closed(7));
  assert.deepEqual([offers.length, offers[0].text, left, rest], [1, "a note", {}, {}]);
  assert.equal(isOffered(offers[0], NOW + OFFERED - 1), true);
  assert.equal(isOffered(offers[0], NOW + OFFERED), false);
  assert.equal(isOffered(offers[0], NOW - 1), false, "the clock was set back");
  assert.deepEqual(after({ ...NOTHING, offers }, { kind: "swept", tabs: [], at: NOW + OFFERED }).offers, []);
});

test("nothing is offered of an empty note, nor of a private window", () => {
  assert.deepEqual(after(with_(7, " \n"), closed(7)).offers, []);
  assert.deepEqual(after(typed(7, "hidden")(NOTHING), { ...written(7), secret: true }, closed(7)).offers, []);
});

test("an offer goes back into a tab, after what that has", () => {
  const state = after(with_(7, "a note", "old"), { kind: "styled", tab: 7, id: "x", at: NOW, mono: true, ...PLACE }, closed(7));
  const back = { kind: "reopened", tab: 9, offer: "old", id: "new", at: NOW, ...PLACE };
  const empty = after(state, back);
  assert.deepEqual([empty.notes[9].text, empty.notes[9].mono, empty.notes[9].id, empty.offers], ["a note", true, "old", []]);
  assert.equal(after(typed(9, "more\n")(state), written(9), back).notes[9].text, "more\n\na note");
  assert.equal(after(state, { ...back, offer: "no such" }), state);
  assert.equal("until" in empty.notes[9], false);
});

test("what a view had typed before it was taken back is not typed twice", () => {
  const emptied = after(typed(9, "", { base: "x", seq: 4 })(typed(9, "x", { seq: 3 })(NOTHING)), written(9));
  const state = after({ ...emptied, offers: with_(7, "a note").notes[7] && after(with_(7, "a note", "old"), closed(7)).offers }, { kind: "reopened", tab: 9, offer: "old", id: "n", at: NOW, ...PLACE });
  assert.equal(state.notes[9].text, "a note");
  assert.equal(after(state, written(9)), state);
});

test("what was kept from before goes back to its address alone, and only where nothing is", () => {
  const note = { ...with_(1, "kept", "k").notes[1], address: "https://shop.example/a" };
  const state = after(NOTHING, { kind: "kept", notes: [note], at: NOW });
  const home = { kind: "returned", tab: 4, address: "https://shop.example/a", at: NOW };
  assert.equal(after(state, { ...home, address: "https://shop.example/b" }), state);
  assert.equal(after(state, { ...home, address: "" }), state);
  assert.equal(after(state, home).notes[4].text, "kept");
  const busy = after(typed(4, "new")(state), written(4));
  assert.equal(after(busy, home), busy);
  assert.equal(after(state, { kind: "kept", notes: [note], at: NOW }).offers.length, 1, "twice is once");
});

test("a closed tab's offer is not one that goes back by itself", () => {
  const state = after(with_(7, "a note"), closed(7));
  assert.equal(after(state, { kind: "returned", tab: 9, address: PLACE.address, at: NOW }), state);
});

test("forgetting leaves the notes of open tabs", () => {
  const state = after(with_(7, "open"), { kind: "kept", notes: [{ ...with_(1, "kept", "k").notes[1] }], at: NOW }, { kind: "forgotten" });
  assert.deepEqual([state.offers, state.notes[7].text], [[], "open"]);
});

test("many closed tabs push out the oldest, never what was kept", () => {
  let state = after(NOTHING, { kind: "kept", notes: [with_(1, "kept", "k").notes[1]], at: NOW });
  for (let tab = 10; tab < 10 + 2 * MOST_OFFERS; tab += 1) state = after(typed(tab, `${tab}`)(state), closed(tab, NOW + tab));
  assert.equal(state.offers.at(-1).id, "k");
  assert.ok(state.offers.length <= MOST_OFFERS + 1);
  assert.equal(state.offers[0].text, `${9 + 2 * MOST_OFFERS}`);
});

test("a note follows its tab's address, and a tab without one is left alone", () => {
  const gone = { kind: "went", tab: 7, address: "https://other.example/" };
  assert.equal(after(with_(7, "a"), gone).notes[7].address, "https://other.example/");
  assert.equal(after(NOTHING, gone), NOTHING);
});

test("what was typed in a private window and never folded is offered as little as its note", () => {
  const hidden = (state) => ({ ...state, typed: { 7: { 1: { seq: 1, base: "", text: "hidden", secret: true } } } });
  assert.deepEqual(after(hidden(NOTHING), closed(7, NOW, true)).offers, []);
  assert.deepEqual(after(hidden(NOTHING), { kind: "swept", tabs: [], at: NOW }).offers, []);
  const moved = after(hidden(NOTHING), { kind: "moved", tab: 7, to: 8 });
  assert.deepEqual([moved.notes[8].text, moved.notes[8].secret], ["hidden", true]);
});

test("what was kept from before does not go to a private tab by itself, where it would be neither private nor kept", () => {
  const before = { ...with_(9, "before").notes[9], until: 0, stays: true };
  const state = { ...NOTHING, offers: [before] };
  assert.equal(after(state, { kind: "returned", tab: 7, at: NOW, address: before.address, secret: true }), state);
  assert.equal(after(state, { kind: "returned", tab: 7, at: NOW, address: before.address, secret: false }).notes[7].text, "before");
});

test("what is typed under a discarded tab's new number before its note is there stays", () => {
  const state = typed(8, "first")(after(typed(7, "a note", { seq: 5 })(NOTHING), written(7)));
  const { notes: all } = after(state, { kind: "moved", tab: 7, to: 8 }, written(8));
  assert.equal(all[8].text, "first\n\na note");
  assert.deepEqual([all[8].secret, all[8].address], [false, PLACE.address]);
});

test("an address is kept without its fragment, as its tab is compared by it: and a fragment may be a secret", () => {
  const went = after(with_(7, "a note"), { kind: "went", tab: 7, address: "https://shop.example/cart#token=1" });
  assert.equal(went.notes[7].address, "https://shop.example/cart");
});
