/** What is written anew in a line of an editor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edited, edits, hosts, said, unlinked } from "../composer/plan.js";
import { defang } from "../lib/defang.js";
import { trusting } from "../lib/trust.js";
import { PIECES } from "./pieces.js";
import { seeded } from "./seeded.js";

const TRUSTED = trusting(["example.com"]);
const link = (text, part, href) => ({ start: text.indexOf(part), end: text.indexOf(part) + part.length, href, whole: true });

/** The text after all edits. */
function after(text, links = [], trusted = TRUSTED) {
  for (const { start, end, pieces } of edits(text, links, trusted).reverse()) text = text.slice(0, start) + said(pieces) + text.slice(end);
  return text;
}

test("only words that lead where nobody trusts are written anew", () => {
  assert.equal(after("see http://evil.com/x, https://example.com and wp-config.php"), "see hxxp://evil[.]com/x, https://example.com and wp-config.php");
  assert.deepEqual(edits("nothing here", [], TRUSTED), []);
});

test("a link that says something else shows its target", () => {
  const text = "pay our invoice now";
  assert.equal(after(text, [link(text, "our invoice", "http://evil.com/q")]), "pay our invoice (hxxp://evil[.]com/q) now");
  assert.equal(after(text, [link(text, "our invoice", "https://example.com/q")]), text);
});

test("a link that says where it leads is written once", () => {
  assert.equal(unlinked("evil.com", "https://evil.com/", TRUSTED), "evil[.]com");
  assert.equal(unlinked("hxxp://evil[.]com", "http://evil.com", TRUSTED), "hxxp://evil[.]com");
  assert.equal(unlinked("readme.md", "http://readme.md", TRUSTED), "readme[.]md");
  assert.equal(unlinked("x", "javascript:alert(1)", TRUSTED), "x (javascript[:]alert(1))");
});

test("a trusted link that shows an untrusted address keeps neither", () => {
  const text = "go http://evil.com/ now";
  assert.equal(after(text, [link(text, "http://evil.com/", "https://example.com/")]), "go hxxp://evil[.]com/ (https://example.com/) now");
});

test("a word with a link over a part of it is one", () => {
  const text = "(http://evil.com/a).";
  const [edit] = edits(text, [link(text, "http://evil.com/a", "http://evil.com/a")], TRUSTED);
  assert.deepEqual([edit.start, edit.end, said(edit.pieces)], [0, text.length, "(hxxp://evil[.]com/a)."]);
});

test("a link with a picture in it is not written, but told", () => {
  const [edit] = edits("a \n b", [{ start: 2, end: 3, href: "http://evil.com", whole: false }], TRUSTED);
  assert.equal(edit.stuck, true);
});

test("what was edited is whole words", () => {
  assert.deepEqual(edited("", "a b"), [0, 3]);
  assert.deepEqual(edited("one two", "one two "), [4, 8]);
  assert.deepEqual(edited("one two three", "one twXo three"), [4, 8]);
  assert.deepEqual(edited("same", "same"), [0, 4]);
  assert.deepEqual(edited("a a", "a a a"), [2, 5]);
  assert.deepEqual(edited("a a a b", "a a b"), [4, 5]);
});

test("the next word may make a sentence of a name", () => {
  assert.deepEqual(edits("at the end.My ", [], TRUSTED).map(({ open }) => open), [true]);
  assert.deepEqual(edits("at evil.my ", [], TRUSTED).map(({ open }) => open), [false]);
  assert.equal(after("at the end.My house"), "at the end.My house");
});

test("what can be trusted is offered, and nothing where trust does not help", () => {
  assert.deepEqual(hosts([{ text: "http://evil.com/x" }], TRUSTED), ["evil.com"]);
  assert.deepEqual(hosts([{ text: "here", href: "https://a.evil.com/" }], TRUSTED), ["a.evil.com"]);
  assert.deepEqual(hosts([{ text: "http://example.com@evil.com/" }], TRUSTED), []);
});

test("any text: word by word it becomes what the whole does, and nothing is left to do", () => {
  const random = seeded(7);
  const spaces = [" ", "\n", "\u00a0", "\u3000", "", "", ""];
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: 1 + random.below(8) }, () => random.one(PIECES) + random.one(spaces)).join("");
    const whole = defang(text, TRUSTED);
    assert.equal(after(text), whole, JSON.stringify(text));
    assert.deepEqual(edits(after(text), [], TRUSTED), [], JSON.stringify(text));
  }
});
