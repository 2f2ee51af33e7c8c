import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { grouped, joinedLines, linkTo, lookAgainIn, percent, shareOf, stateOf, took } from "../lib/run.js";
import { messages } from "./messages.js";

const line = (number) => ({ line: number, step: 0, at_ms: 0, level: "info", said: `line ${number}` });

test("every state of a run that the server knows is known here, with a word", () => {
  const source = readFileSync(new URL("../../src/steelyard/toolbox/states.py", import.meta.url), "utf8");
  const states = [...source.split("class State(StrEnum):")[1].split("class Reason")[0].matchAll(/= "(\w+)"/gu)].map(([, state]) => state);
  assert.ok(states.length > 10);
  for (const state of states) {
    assert.ok(stateOf(state).known, state);
    assert.ok(messages("en")[`toolbox_state_${state}`], state);
  }
});

test("a run is looked at while something may happen, less often while it waits for a person, and never for ever", () => {
  for (const state of ["planning", "queued", "running", "undoing"]) assert.equal(lookAgainIn(state, 0), 1000, state);
  for (const state of ["planned", "waits"]) assert.equal(lookAgainIn(state, 0), 3000, state);
  for (const state of ["done", "failed", "refused", "nothing", "cancelled", "put_back", "stopped", "unheard of", "__proto__", ""]) assert.equal(lookAgainIn(state, 0), undefined, state);
  for (const state of ["planning", "running", "planned"]) assert.equal(lookAgainIn(state, 10 * 60_000), undefined, state);
});

test("lines come once and in order, and only the last are kept", () => {
  assert.deepEqual(joinedLines([line(1), line(2)], [line(2), line(3)]).map((each) => each.line), [1, 2, 3]);
  assert.deepEqual(joinedLines([], []), []);
  const many = joinedLines([], Array.from({ length: 900 }, (_, at) => line(at + 1)));
  assert.deepEqual([many.length, many[0].line, many.at(-1).line], [400, 501, 900]);
});

test("steps stand by what they are for", () => {
  const steps = [["do", 0], ["check", 1], ["do", 2]].map(([phase, step]) => ({ phase, step }));
  const words = { steps: [{ title: "a" }, { title: "b" }, { title: "c" }] };
  assert.deepEqual(grouped({ steps, words }).map(([phase, all]) => [phase, all.map((each) => each.title)]), [["do", ["a", "c"]], ["check", ["b"]]]);
  assert.deepEqual(grouped({ steps: [], words: { steps: [] } }), []);
});

test("how long it took, as people read it", () => {
  const said = (ms, language = "en") => took(ms, language).replaceAll("\u202f", " ");
  assert.deepEqual([0, 340, 999.4, 1000, 2440, 12_400, 59_400, 60_000, 61_000, 200_000, 3_600_000].map((ms) => said(ms)),
    ["0 ms", "340 ms", "999 ms", "1 s", "2.4 s", "12 s", "59 s", "1 min", "1 min 1 s", "3 min 20 s", "60 min"]);
  assert.equal(said(2440, "fr"), "2,4 s");
});

test("progress is a share where the whole is known", () => {
  const share = (progress) => shareOf({ progress });
  assert.deepEqual([share(null), share({ done: 1, total: 0 }), share({ done: 1, total: 4 }), share({ done: 9, total: 4 }), share({ done: -1, total: 4 })], [undefined, undefined, 0.25, 1, 0]);
});

test("a length is a percentage that stays on its scale", () => {
  assert.deepEqual([percent(0, 24), percent(8, 24), percent(24, 24), percent(90, 24), percent(-1, 24)], ["0%", "33.33%", "100%", "100%", "0%"]);
});

test("only pages of the server are linked to", () => {
  const server = "https://steelyard.example";
  assert.equal(linkTo(server, "/runs/7?workspace=a"), "https://steelyard.example/runs/7?workspace=a");
  for (const href of ["javascript:alert(1)", "https://evil.example/", "//evil.example/", "/\\evil.example", "", null, undefined]) assert.equal(linkTo(server, href), undefined, String(href));
});
