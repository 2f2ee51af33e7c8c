/** Settings of four levels, any of which may be broken or hostile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, editorOf, exported, imported, joined, kindOf, MOST, originOf, serverOf } from "../lib/settings.js";
import { trusting } from "../lib/trust.js";
import { seeded } from "./seeded.js";

const BUILT = { hosts: ["*"], editor: "textarea", other: "[role]", note: "", send: "button", says: "^(send)" };
const LEVELS = ["managed", "sync", "team"];
const editor = (origin, more = {}) => ({ origin, editor: ".editor", note: "", send: "", words: [], ...more });
const levels = (managed, sync, team) => joined([managed, sync, team].map((values, at) => ({ from: LEVELS[at], values })));

test("nothing set anywhere: what is built in, and nothing to tell", () => {
  const nothing = { server: { value: "", from: "built in" }, notes: { value: true, from: "built in" }, trusted: [], editors: [], refused: [] };
  assert.deepEqual(levels(undefined, undefined, undefined), nothing);
  assert.deepEqual(levels({}, {}, {}), nothing);
});

test("of single values the strongest counts, and says where it comes from", () => {
  const all = levels({ notes: false }, { notes: true, server: "https://mine.example" }, { server: "https://team.example" });
  assert.deepEqual(all.notes, { value: false, from: "managed" });
  assert.deepEqual(all.server, { value: "https://mine.example", from: "sync" });
  assert.deepEqual(levels({ server: "steelyard.example/path" }, { server: "https://evil.example" }, {}).server, { value: "https://steelyard.example", from: "managed" });
});

test("a broken value of a stronger level does not hide a sound one of a weaker", () => {
  const all = levels({ notes: "no", server: "ftp://x.example" }, { notes: false }, { server: "https://team.example" });
  assert.deepEqual([all.notes, all.server], [{ value: false, from: "sync" }, { value: "https://team.example", from: "team" }]);
  assert.deepEqual(all.refused.map(({ from, name, why }) => [from, name, why]), [["managed", "notes", "shape"], ["managed", "server", "address"]]);
});

test("trusted domains of all levels count, each as it is compared", () => {
  const all = levels({ trusted: ["*.corp.example"] }, { trusted: ["Mine.Example", "=only.example"] }, { trusted: ["team.example", "corp.example"] });
  assert.deepEqual(all.trusted.map(({ domain, from }) => [domain, from]), [
    ["corp.example", "managed"], ["mine.example", "sync"], ["=only.example", "sync"], ["team.example", "team"], ["corp.example", "team"],
  ]);
  assert.deepEqual(all.refused, []);
});

test("a domain that cannot be trusted is left out, told with the reason, and hides no other", () => {
  const bad = { com: "suffix", "*.net": "suffix", "http://x.example/a": "domain", "a b.example": "domain", "evil.example@x.example": "domain", "": "domain", "*.*.example.com": "domain" };
  const all = levels({ trusted: [...Object.keys(bad), 7, null, "good.example"] }, {}, {});
  assert.deepEqual(all.trusted, [{ domain: "good.example", from: "managed" }]);
  assert.deepEqual(all.refused.map(({ why }) => why), [...Object.values(bad), "text", "text"]);
});

test("editors of one origin come from the strongest level, of others from all", () => {
  const all = levels({ editors: JSON.stringify([editor("https://a.example", { note: ".n" })]) }, { editors: [editor("https://a.example/x"), editor("https://b.example")] }, { editors: [editor("https://b.example"), editor("http://localhost:8080")] });
  assert.deepEqual(all.editors.map(({ origin, from, note }) => [origin, from, note]), [
    ["https://a.example", "managed", ".n"], ["https://b.example", "sync", ""], ["http://localhost:8080", "team", ""],
  ]);
});

test("an editor that cannot be used says which field is wrong and why", () => {
  const why = (written) => ((found) => [found.field, found.why])(editorOf(written));
  assert.deepEqual(why("x"), ["", "shape"]);
  assert.deepEqual(why(editor("javascript:alert(1)")), ["origin", "address"]);
  assert.deepEqual(why(editor("https://*.example.com")), ["origin", "address"]);
  assert.deepEqual(why(editor("https://a.example", { editor: "div:has(" })), ["editor", "selector"]);
  assert.deepEqual(why(editor("https://a.example", { note: 7 })), ["note", "text"]);
  assert.deepEqual(why(editor("https://a.example", { words: ["a\nb"] })), ["words", "words"]);
  assert.deepEqual(why(editor("https://a.example", { words: "Send" })), ["words", "words"]);
  assert.deepEqual(why(editor("https://a.example", { other: "x" })), ["other", "unknown"]);
});

test("broken JSON of a policy is told, and the rest of it counts", () => {
  const all = levels({ editors: "[{", trusted: ["a.example"] }, {}, {});
  assert.deepEqual(all.refused.map(({ name, why }) => [name, why]), [["editors", "json"]]);
  assert.equal(all.trusted.length, 1);
});

test("what an editor says when it sends is words, never a pattern", () => {
  const { says } = kindOf(editor("https://a.example", { words: ["Send (now)", ".*", "a-b"] }), BUILT);
  const pattern = new RegExp(says, "iu");
  assert.ok(pattern.test("send (NOW) please") && pattern.test(".* x") && pattern.test("a-b"));
  assert.ok(!pattern.test("anything") && !pattern.test("please Send (now)"));
});

test("what is left empty is what is built in", () => {
  assert.deepEqual(kindOf({ origin: "http://[::1]:80", editor: "", note: "", send: "", words: [] }, BUILT), { ...BUILT, hosts: ["[::1]"] });
  assert.equal(kindOf(editor("https://a.example"), BUILT).other, "");
});

test("an address without a scheme is https; a server is asked over https, or on this machine", () => {
  assert.deepEqual(originOf(" Steelyard.Example:8443/path#x "), { origin: "https://steelyard.example:8443" });
  assert.deepEqual(serverOf("http://127.0.0.1:8765/"), { origin: "http://127.0.0.1:8765" });
  assert.deepEqual(serverOf("http://steelyard.example"), { why: "scheme" });
  for (const bad of ["https://a:b@x.example", "data:text/html,x", "chrome://settings", "https://", "x y", 3, null, "x".repeat(400)]) assert.ok("why" in originOf(bad), String(bad));
});

test("an export read in again is the same, and holds nobody else's", () => {
  const mine = { server: "https://mine.example", notes: false, trusted: ["a.example", "=b.example"], editors: [editor("https://a.example", { words: ["Go"] })] };
  const all = levels({ trusted: ["corp.example"], server: "https://corp.example" }, { ...mine, server: undefined }, { trusted: ["team.example"] });
  const { server, ...rest } = mine;
  assert.deepEqual(exported(all), rest);
  assert.deepEqual(imported(JSON.stringify(mine)).own, mine);
});

test("a file that is none is refused whole; what it has too much is told", () => {
  assert.deepEqual([imported("nonsense"), imported("[1]"), imported("")], [{ why: "json" }, { why: "shape" }, { why: "shape" }]);
  const { own, settings } = imported('{"trusted": ["a.example", "com"], "token": "secret", "rules": []}');
  assert.deepEqual(own, { trusted: ["a.example"] });
  assert.deepEqual(settings.refused.map(({ what, why }) => [what, why]), [["com", "suffix"], ["token", "unknown"], ["rules", "unknown"]]);
});

test("more than can be used: the first count, and it is told", () => {
  const all = levels({ trusted: Array.from({ length: MOST.trusted + 1 }, (_, at) => `d${at}.example`) }, {}, {});
  assert.equal(all.trusted.length, MOST.trusted);
  assert.deepEqual(all.refused.map(({ why }) => why), ["many"]);
});

test("anything at all: never throws, and what is left can be used", () => {
  const random = seeded(11);
  const odd = [null, undefined, 0, NaN, "", "x", [], {}, [null], { trusted: {} }, "com", "a.example", "=a.example", "[]", "{}", '["', "\u202e", "x".repeat(5000), true, { origin: "https://a.example" }, { toString: 3 }, [[]], "https://[", "//x", "*."];
  for (let round = 0; round < 2000; round++) {
    const value = (depth = 0) => (random.chance(40) && depth < 3 ? Array.from({ length: random.below(5) }, () => value(depth + 1)) : random.one(odd));
    const place = () => (random.chance(90) ? { server: value(), notes: value(), trusted: value(), editors: random.chance(50) ? value() : [{ ...editor("https://a.example"), [random.one(["origin", "editor", "note", "send", "words", "__proto__", "x"])]: value() }] } : value());
    const all = levels(place(), place(), place());
    assert.equal(typeof all.notes.value, "boolean");
    trusting(all.trusted.map(({ domain }) => domain));
    for (const each of all.editors) new RegExp(kindOf(each, BUILT).says, "iu");
    assert.ok(all.server.value === "" || new URL(all.server.value).origin === all.server.value);
    for (const { what } of all.refused) assert.ok([...what].length <= 80);
    for (const { domain } of all.trusted) assert.deepEqual(domainOf(domain), { domain });
  }
});
