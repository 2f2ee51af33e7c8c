/** What two write at once, in one text: each letter of both stays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edit, merged, shifted } from "../lib/notes.js";
import { seeded } from "./seeded.js";

const PIECES = ["a", "b", "c", " ", "\n", "é", "😀", "👩‍👩‍👧", "\u202f"];

test("a change is what lies between what stayed the same", () => {
  assert.deepEqual(edit("notes of a tab", "notes of the tab"), { at: 9, gone: 1, put: "the" });
  assert.deepEqual(edit("same", "same"), { at: 4, gone: 0, put: "" });
  assert.deepEqual(edit("aa", "aaa"), { at: 2, gone: 0, put: "a" });
});

test("no character is cut in two", () => {
  assert.deepEqual(edit("😀", "😁"), { at: 0, gone: 2, put: "😁" });
  assert.deepEqual(edit("\u{1F600}", "\u{2F600}"), { at: 0, gone: 2, put: "\u{2F600}" });
  assert.equal(merged("😀", "😁", "😂").isWellFormed(), true);
});

test("what was changed in two places is changed in both", () => {
  assert.equal(merged("one two three", "ONE two three", "one two THREE"), "ONE two THREE");
  assert.equal(merged("ab", "ac", "aXb"), "aXc");
  assert.equal(merged("ab", "aXb", "ac"), "aXc");
});

test("what was written at the same place stands in a row", () => {
  assert.equal(merged("", "theirs", "mine"), "theirsmine");
  assert.equal(merged("a word here", "a term here", "a name here"), "a termname here");
  assert.equal(merged("to be kept", "to ", "to be kept, truly"), "to , truly");
});

test("where one side changed nothing, it is the other's", () => {
  const random = seeded(4);
  for (let round = 0; round < 300; round += 1) {
    const [base, other] = [written(random), written(random)];
    assert.equal(merged(base, other, base), other);
    assert.equal(merged(base, base, other), other);
    const { at, gone, put } = edit(base, other);
    assert.equal(base.slice(0, at) + put + base.slice(at + gone), other);
  }
});

test("nothing that was put in is lost, and nothing is cut, whatever was done", () => {
  const random = seeded(5);
  for (let round = 0; round < 2000; round += 1) {
    const base = written(random);
    const [theirs, mine] = ["<1>", "<2>"].map((mark) => put(random, base, mark));
    const both = merged(base, theirs, mine);
    for (const mark of ["<1>", "<2>"]) assert.ok(both.includes(mark), `${JSON.stringify([base, theirs, mine])} became ${JSON.stringify(both)}`);
    assert.equal(both.isWellFormed(), true);
  }
});

test("the caret stays at its letter", () => {
  const change = edit("one two", "one and two");
  assert.equal(shifted(2, change), 2);
  assert.equal(shifted(5, change), 9);
  assert.equal(shifted(6, edit("one two", "one")), 3);
});

function written(random) {
  return Array.from({ length: random.below(8) }, () => random.one(PIECES)).join("");
}

/** A mark put in at some place, over some letters. */
function put(random, base, mark) {
  const letters = [...base];
  letters.splice(random.below(letters.length + 1), random.below(3), mark);
  return letters.join("");
}
