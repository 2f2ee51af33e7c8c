/** Many ways in which several windows write, end, move and come back at once: no letter that was typed is ever lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folded, isBlank, notes, NOTHING, Writing } from "../lib/notes.js";
import { seeded } from "./seeded.js";

const PLACE = { address: "https://shop.example/", secret: false };

/** The store as a browser keeps it: what is sent arrives in order, and each view hears of it later. */
class Desk {
  constructor(random) {
    Object.assign(this, { random, state: NOTHING, views: new Map(), tab: 1, letters: 0, alive: new Set(), now: 0 });
  }

  act(event) {
    this.state = notes(this.state, { at: (this.now += 1), id: `n${this.now}`, ...PLACE, ...event });
    const note = this.state.notes[this.tab];
    if (note) for (const view of this.views.values()) view.news.push(note);
  }

  keep(name, typed) {
    const { [this.tab]: there = {} } = this.state.typed;
    this.state = { ...this.state, typed: { ...this.state.typed, [this.tab]: { ...there, [name]: typed } } };
  }

  open(name) {
    this.act({ kind: "written", tab: this.tab });
    delete this.state.typed[this.tab]?.[name];
    this.views.set(name, { writing: new Writing(name, this.state.notes[this.tab]), news: [] });
  }

  type(name) {
    const { writing } = this.views.get(name);
    const text = [...writing.text];
    const letter = String.fromCodePoint(0x4e00 + (this.letters += 1));
    this.alive.add(letter);
    const gone = text.splice(this.random.below(text.length + 1), this.random.chance(15) ? this.random.below(3) : 0, letter);
    for (const each of gone) this.alive.delete(each);
    this.keep(name, writing.type(text.join("")));
  }

  hear(name) {
    const view = this.views.get(name);
    const note = view.news.shift();
    if (!note) return;
    const typed = view.writing.told(note);
    if (typed) this.keep(name, typed);
    else if (view.writing.isSettled && this.state.typed[this.tab]?.[name]) delete this.state.typed[this.tab][name];
  }

  step() {
    const name = this.random.one(["1", "2", "3"]);
    const does = this.random.below(20);
    if (!this.views.has(name)) return this.open(name);
    if (does < 9) return this.type(name);
    if (does < 14) return this.hear(name);
    if (does < 18) return this.act({ kind: "written", tab: this.tab });
    if (does < 19) return this.views.delete(name);
    return this.move();
  }

  /** A tab that is discarded: its views look at the new number at once, and may have typed under the old one. */
  move() {
    const from = this.tab;
    this.tab += 1;
    this.act({ kind: "moved", tab: from, to: this.tab });
    this.views.clear();
  }

  settle() {
    for (let round = 0; round < 30; round += 1) {
      this.act({ kind: "written", tab: this.tab });
      for (const name of this.views.keys()) while (this.views.get(name).news.length) this.hear(name);
    }
  }
}

test("whoever wrote, ended or was moved: every letter is there, and all views show the same", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const desk = new Desk(seeded(seed));
    for (let step = 0; step < 60; step += 1) desk.step();
    desk.settle();
    const text = desk.state.notes[desk.tab]?.text ?? "";
    const lost = [...desk.alive].filter((letter) => !text.includes(letter));
    assert.deepEqual(lost, [], `seed ${seed}`);
    for (const { writing } of desk.views.values()) assert.equal(writing.text, text, `seed ${seed}`);
  }
});

test("at any moment, what the browser keeps has every letter, even when all views end at once", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const desk = new Desk(seeded(1000 + seed));
    for (let step = 0; step < 40; step += 1) {
      desk.step();
      const note = desk.state.notes[desk.tab] ?? { text: "", seen: {}, version: 0 };
      const { text } = folded(note, desk.state.typed[desk.tab]);
      for (const letter of desk.alive) assert.ok(text.includes(letter), `seed ${seed}, step ${step}: ${letter} is not in ${text}`);
    }
    const before = desk.state;
    const { offers } = notes(before, { kind: "closed", tab: desk.tab, at: 1, window: false });
    for (const letter of desk.alive) assert.ok(offers[0].text.includes(letter));
    assert.equal(offers.length, isBlank(offers[0]) ? 0 : 1);
  }
});
