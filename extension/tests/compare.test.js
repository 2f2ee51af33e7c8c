import assert from "node:assert/strict";
import { test } from "node:test";
import { compared } from "../lib/compare.js";

const hop = (headers, more = {}) => ({ url: "https://shop.example/", status: 200, ip: "192.0.2.1", headers, left: 0, asked: 0, ms: 5, from: "network", ...more });
const page = (...hops) => ({ id: "1", url: "https://shop.example/", at: "", time: 0, hops, seen: true, why: "", error: "", ms: 9 });
const between = (was, is) => compared(page(hop(is)), page(hop(was)));
const names = (result) => Object.fromEntries(Object.entries(result).map(([kind, all]) => [kind, all.map((each) => each.name)]).filter(([, all]) => all.length));

test("two equal loads differ in nothing", () => {
  const headers = [["Server", "nginx"], ["Set-Cookie", "a=1"], ["Vary", "A"], ["Vary", "B"]];
  assert.deepEqual(names(between(headers, headers)), {});
  assert.deepEqual(names(between(headers, [...headers].reverse().map(([name, value]) => [name.toLowerCase(), ` ${value}`]))), { noise: ["vary"] });
});

test("what came, went and changed is told apart, by name in any spelling", () => {
  const result = between([["X-Cache", "MISS"], ["Server", "nginx"], ["Gone", "1"]], [["x-cache", "HIT"], ["server", "nginx"], ["age", "3"]]);
  assert.deepEqual(names(result), { added: ["age"], removed: ["gone"], changed: ["x-cache"] });
  assert.deepEqual(result.changed, [{ name: "x-cache", was: "MISS", is: "HIT" }]);
  assert.deepEqual(result.added, [{ name: "age", was: null, is: "3" }]);
});

test("what differs with each load is kept apart", () => {
  const was = [["date", "Fri, 20 Nov 2026 10:00:00 GMT"], ["expires", "Fri, 20 Nov 2026 10:10:00 GMT"], ["cf-ray", "1-CDG"], ["age", "1"], ["x-varnish", "1 2"]];
  const is = [["date", "Fri, 20 Nov 2026 11:00:00 GMT"], ["expires", "Fri, 20 Nov 2026 11:10:00 GMT"], ["cf-ray", "2-CDG"], ["age", "61"], ["x-varnish", "7 2"]];
  const csp = (nonce, more = "") => ["content-security-policy", `script-src 'nonce-${nonce}' 'self'${more}`];
  assert.deepEqual(names(between([...was, csp("aaa")], [...is, csp("bbb")])), { noise: ["date", "expires", "cf-ray", "age", "x-varnish", "content-security-policy"] });
  assert.deepEqual(names(between([csp("aaa")], [csp("bbb", " https:")])), { changed: ["content-security-policy"] });
});

test("what looks like noise and is none is shown: another way to expire, a cache that is left out, another version", () => {
  const date = ["date", "Fri, 20 Nov 2026 10:00:00 GMT"];
  const result = between(
    [date, ["expires", "Fri, 20 Nov 2026 10:10:00 GMT"], ["x-varnish", "1 2"], ["etag", '"a"']],
    [date, ["expires", "Thu, 19 Nov 1981 08:52:00 GMT"], ["x-varnish", "3"], ["etag", '"b"']],
  );
  assert.deepEqual(names(result), { changed: ["expires", "x-varnish", "etag"] });
});

test("another value of a cookie is noise, other rules for it or another cookie are not", () => {
  const of = (was, is) => names(between(was.map((each) => ["Set-Cookie", each]), is.map((each) => ["Set-Cookie", each])));
  assert.deepEqual(of(["a=1; Path=/; Expires=x", "b=1"], ["b=2", "a=2; expires=y; path=/"]), { noise: ["set-cookie"] });
  assert.deepEqual(of(["a=1; Secure"], ["a=1"]), { changed: ["set-cookie"] });
  assert.deepEqual(of(["a=1"], ["a=1", "b=1"]), { changed: ["set-cookie"] });
});

test("another status, address, source or redirect is told", () => {
  const redirect = hop([], { url: "http://shop.example/", status: 301 });
  const result = compared(page(redirect, hop([], { status: 500, ip: "192.0.2.9", from: "cache" })), page(hop([])));
  assert.deepEqual(result.way, [
    { name: "status", was: "200", is: "500" }, { name: "ip", was: "192.0.2.1", is: "192.0.2.9" }, { name: "from", was: "network", is: "cache" },
    { name: "redirects", was: null, is: "301 http://shop.example/" },
  ]);
});

test("where no response was seen there is nothing to compare: its headers did not go away", () => {
  const unseen = { ...page(hop([["x", "1"]])), seen: false, hops: [] };
  assert.deepEqual(names(compared(unseen, page(hop([["x", "1"]])))), {});
});
