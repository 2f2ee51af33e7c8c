/** Selectors as a person types them. What is taken here is taken by Chromium as well: tests/companion/test_options.py. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isSelector } from "../lib/settings.js";

/** @type {{good: string[], bad: string[]}} */
const CASES = JSON.parse(readFileSync(new URL("selectors.json", import.meta.url), "utf8"));

for (const each of CASES.good) test(`${each} is a selector`, () => assert.equal(isSelector(each), true));
for (const each of CASES.bad) test(`${JSON.stringify(each)} is none that is taken`, () => assert.equal(isSelector(each), false));

test("the selectors that are built in are ones", async () => {
  const { KINDS } = await import("../composer/editors.js");
  for (const { editor, other, note, send } of KINDS) for (const each of [editor, other, note, send]) assert.ok(each === "" || isSelector(each), each);
});

test("a long and deep one ends at once", () => {
  const begun = performance.now();
  assert.equal(isSelector(":not(".repeat(60)), false);
  assert.equal(isSelector("[a ".repeat(100)), false);
  assert.equal(isSelector("a ".repeat(150) + "!"), false);
  assert.ok(performance.now() - begun < 100);
});
