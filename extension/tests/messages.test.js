import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, messages } from "./messages.js";

const english = messages("en");

test("both languages have the same messages, sorted by key", () => {
  for (const language of LANGUAGES) assert.deepEqual(Object.keys(messages(language)), Object.keys(english).sort(), language);
});

test("every message is a text, and both languages have the same values in it", () => {
  const french = messages("fr");
  for (const [key, { message }] of Object.entries(english)) {
    assert.match(key, /^[a-z0-9_@]+$/iu);
    assert.notEqual(message.trim(), "", key);
    const placed = (text) => [...(text.match(/\$(?:\d|\w+\$)/gu) ?? [])].sort();
    assert.deepEqual(placed(french[key].message), placed(message), key);
  }
});

test("no key is written twice", () => {
  for (const language of LANGUAGES) {
    const source = readFileSync(new URL(`../_locales/${language}/messages.json`, import.meta.url), "utf8");
    const written = [...source.matchAll(/^ {2}"([^"]+)":/gmu)].map(([, key]) => key);
    assert.deepEqual(written, [...new Set(written)], language);
  }
});

test("French has its own spaces and apostrophes", () => {
  for (const [key, { message }] of Object.entries(messages("fr"))) {
    assert.doesNotMatch(message, /(?<!\u202f)[;!?»](?!\w)|(?<![\u202f\w/]):(?!\/)|\w:\s|\w'\w|«(?!\u202f)/u, key);
  }
});

test("French says of runbooks what the console says", () => {
  for (const [key, { message }] of Object.entries(messages("fr"))) assert.doesNotMatch(message, /runbook/iu, key);
});
