import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXPLAINED, grouped, groupOf, GROUPS, lasting, notesOf } from "../lib/headers.js";
import { LANGUAGES, messages, saying } from "./messages.js";
import { seeded } from "./seeded.js";

const PAGE = "https://shop.example/";
const keys = (name, value, headers = [], url = PAGE) => notesOf(name, value, [[name, value], ...headers], url).map((note) => note.key);
const looks = (name, value, headers = []) => notesOf(name, value, headers, PAGE).some((note) => note.look);

test("every header that matters has a sentence in both languages, and no sentence is left over", () => {
  assert.ok(EXPLAINED.length >= 90);
  for (const language of LANGUAGES) {
    const told = Object.keys(messages(language)).filter((key) => key.startsWith("header_"));
    assert.deepEqual(told.sort(), EXPLAINED.map((name) => `header_${name.replaceAll("-", "_")}`).sort(), language);
  }
});

test("every note has a sentence, and every sentence a note", () => {
  const source = readFileSync(new URL("../lib/headers.js", import.meta.url), "utf8");
  const used = [...new Set(source.match(/value_\w+/gu))].sort();
  for (const language of LANGUAGES) {
    assert.deepEqual(Object.keys(messages(language)).filter((key) => key.startsWith("value_")).sort(), used, language);
  }
});

test("every group has a name", () => {
  for (const group of GROUPS) assert.notEqual(saying("fr")(`group_${group}`), "");
});

test("headers come in groups, each in the order of the response, unknown ones last; none is lost", () => {
  const headers = [
    ["Server", "nginx"], ["Set-Cookie", "a=1"], ["X-Made-Up", "1"], ["CF-RAY", "7d1-CDG"], ["Cache-Control", "no-store"],
    ["Set-Cookie", "b=2"], ["Strict-Transport-Security", "max-age=1"], ["age", "5"],
  ];
  const groups = grouped(headers, PAGE);
  assert.deepEqual(groups.map((each) => [each.group, each.headers.map((header) => header.value)]), [
    ["cache", ["no-store", "5"]], ["cdn", ["7d1-CDG"]], ["server", ["nginx"]], ["security", ["max-age=1"]], ["cookies", ["a=1", "b=2"]], ["other", ["1"]],
  ]);
  assert.equal(groups[5].headers[0].key, "");
  assert.equal(groups[0].headers[0].key, "header_cache_control");
  assert.deepEqual(GROUPS.length, new Set([...EXPLAINED, "x-none"].map(groupOf)).size);
});

for (const [name, value, ...expected] of [
  ["cache-control", "no-store", "value_no_store"],
  ["Cache-Control", "No-Cache, must-revalidate, max-age=0, no-store, private", "value_no_store"],
  ["cache-control", "private, no-cache, max-age=0", "value_no_cache", "value_private"],
  ["cache-control", "max-age=0, must-revalidate", "value_max_age_zero"],
  ["cache-control", "public, max-age=600, s-maxage=86400, stale-while-revalidate=60", "value_max_age", "value_shared_age", "value_stale_allowed"],
  ["cache-control", "x-no-store-y", ...[]],
  ["x-cache", "HIT", "value_hit"],
  ["x-cache", "HIT: 32", "value_hit"],
  ["x-cache", "MISS", "value_miss"],
  ["x-cache", "MISS, HIT", "value_hit", "value_layers"],
  ["x-cache", "HIT, MISS", "value_miss", "value_layers"],
  ["x-cache", "Error from cloudfront", "value_error"],
  ["x-cache", "RefreshHit from cloudfront", "value_revalidated"],
  ["x-cache", "TCP_MEM_HIT from a23-1-2-3 (AkamaiGHost)", "value_hit"],
  ["x-cache", "constructed", ...[]],
  ["cf-cache-status", "HIT", "value_hit"],
  ["cf-cache-status", "MISS", "value_miss"],
  ["cf-cache-status", "EXPIRED", "value_expired"],
  ["cf-cache-status", "STALE", "value_stale"],
  ["cf-cache-status", "UPDATING", "value_stale"],
  ["cf-cache-status", "BYPASS", "value_bypass"],
  ["cf-cache-status", "REVALIDATED", "value_revalidated"],
  ["cf-cache-status", "DYNAMIC", "value_dynamic"],
  ["cf-cache-status", "NONE/UNKNOWN", "value_dynamic"],
  ["cache-status", "Origin; fwd=stale; stored, \"Edge\"; hit", "value_hit", "value_layers"],
  ["cache-status", "Edge; fwd=stale; stored", "value_expired"],
  ["x-litespeed-cache", "hit,private", "value_hit"],
  ["x-nananana", "Batcache-Set", "value_miss"],
  ["x-nananana", "Batcache-Hit", "value_hit"],
  ["wp-super-cache", "Served supercache file from PHP", "value_hit"],
  ["x-varnish", "32770 5", "value_hit"],
  ["x-varnish", "32770", "value_miss"],
  ["x-cacheable", "NO:Private", "value_not_kept"],
  ["x-cacheable", "SHORT", ...[]],
  ["x-pass-why", "", ...[]],
  ["x-pass-why", "cookie", "value_not_kept"],
  ["x-cache-enabled", "False", "value_cache_off"],
  ["age", "3700", "value_age"],
  ["age", "soon", ...[]],
  ["vary", "Accept-Encoding", ...[]],
  ["vary", "Accept-Encoding, Cookie,User-Agent", "value_vary_cookie", "value_vary_agent"],
  ["vary", "*", "value_vary_all"],
  ["expires", "Wed, 11 Jan 1984 05:00:00 GMT", "value_expires_wordpress"],
  ["expires", "Thu, 19 Nov 1981 08:52:00 GMT", "value_expires_session"],
  ["expires", "0", "value_expires_past"],
  ["expires", "Fri, 01 Jan 2038 00:00:00 GMT", ...[]],
  ["server", "cloudflare", "value_hidden_server"],
  ["server", "nginx/1.24.0", ...[]],
  ["x-powered-by", "PHP/7.4.33", "value_old_php"],
  ["x-powered-by", "PHP/8.1.2", "value_old_php"],
  ["x-powered-by", "PHP/8.3.1", ...[]],
  ["x-powered-by", "PHP/10.0.0", ...[]],
  ["location", "http://shop.example/", "value_plain_location"],
  ["location", "https://shop.example/", ...[]],
  ["x-robots-tag", "noindex, nofollow", "value_noindex"],
  ["retry-after", "600", "value_retry_after"],
  ["cf-mitigated", "challenge", "value_challenge"],
  ["cf-ray", "8c1d2e3f4a5b6c7d-CDG", "value_place"],
  ["content-type", "text/html; charset=UTF-8", ...[]],
  ["content-type", "application/json", "value_not_page"],
  ["content-length", "0", "value_empty"],
  ["link", '<https://shop.example/wp-json/>; rel="https://api.w.org/"', "value_wordpress"],
  ["strict-transport-security", "includeSubDomains", "value_hsts_no_age"],
  ["strict-transport-security", "max-age=abc", "value_hsts_no_age"],
  ["strict-transport-security", "max-age=0", "value_hsts_off"],
  ["strict-transport-security", 'max-age="31536000"; includeSubDomains', "value_hsts_age", "value_hsts_subdomains"],
  ["content-security-policy", "frame-ancestors 'none'; upgrade-insecure-requests", "value_frame_none", "value_upgrade"],
  ["content-security-policy", "default-src 'self'; frame-ancestors 'self' https://a.example", "value_frame_some"],
  ["x-frame-options", "SAMEORIGIN", "value_frame_same"],
  ["x-content-type-options", "nosniff", ...[]],
  ["x-content-type-options", "sniff", "value_not_nosniff"],
  ["set-cookie", "PHPSESSID=abc; path=/", "value_cookie_session", "value_cookie_no_secure", "value_cookie_no_httponly", "value_cookie_no_samesite"],
  ["set-cookie", "a=b; Secure; HttpOnly; SameSite=Lax", ...[]],
  ["set-cookie", "a=secure; httponly=; samesite=none", "value_cookie_no_secure", "value_cookie_none"],
  ["set-cookie", "wordpress_logged_in_12=x; secure; HttpOnly; SameSite=Lax", "value_cookie_login"],
  ["set-cookie", "woocommerce_items_in_cart=1; secure; HttpOnly; SameSite=Lax", "value_cookie_cart"],
  ["set-cookie", "__cf_bm=x; secure; HttpOnly; SameSite=None", "value_cookie_front"],
  ["set-cookie", "a=; expires=Thu, 01 Jan 1970 00:00:01 GMT", "value_cookie_gone"],
  ["x-made-up", "HIT", ...[]],
  ["constructor", "x", ...[]],
]) {
  test(`${name}: ${value}`, () => assert.deepEqual(keys(name, value), expected));
}

test("a value is read together with the headers around it and the address", () => {
  assert.deepEqual(keys("access-control-allow-origin", "*"), ["value_any_origin"]);
  assert.deepEqual(keys("access-control-allow-origin", "*", [["Access-Control-Allow-Credentials", "true"]]), ["value_any_origin_refused"]);
  assert.deepEqual(keys("expires", "Fri, 20 Nov 2026 10:00:00 GMT", [["Date", "Fri, 20 Nov 2026 10:00:00 GMT"]]), ["value_expires_past"]);
  assert.deepEqual(keys("expires", "Fri, 20 Nov 2026 10:10:00 GMT", [["Date", "Fri, 20 Nov 2026 10:00:00 GMT"]]), []);
  assert.deepEqual(keys("location", "http://b.example/", [], "http://a.example/"), []);
  assert.equal(keys("set-cookie", "a=b", [], "http://a.example/").includes("value_cookie_no_secure"), false);
});

test("what may explain a problem is marked, what is well is not", () => {
  assert.ok(looks("cache-control", "no-store") && looks("cf-mitigated", "challenge") && looks("cf-cache-status", "BYPASS"));
  assert.ok(!looks("x-cache", "HIT") && !looks("cache-control", "max-age=60") && !looks("server", "cloudflare"));
});

test("times are written as somebody reads them", () => {
  assert.deepEqual([0, 119, 120, 7199, 7200, 172_799, 31_536_000].map(lasting), ["0 s", "119 s", "2 min", "120 min", "2 h", "48 h", "365 days"]);
});

test("any header with any value is explained in known messages, in time", () => {
  const random = seeded(5);
  const parts = ["max-age=", "no-store", ",", ";", "=", "HIT", "miss", " ", "9".repeat(30), "\u0000", "é", "'none'", "frame-ancestors", "PHP/7.", "$1", "a".repeat(3000), "-CDG", "SameSite=None"];
  const say = saying("fr");
  const began = performance.now();
  for (let round = 0; round < 4000; round++) {
    const value = Array.from({ length: random.below(12) }, () => random.one(parts)).join("");
    for (const { headers } of grouped([[random.one(EXPLAINED), value], ["x-other", value]], PAGE)) {
      for (const note of headers.flatMap((header) => header.notes)) assert.doesNotMatch(say(note.key, note.values), /undefined|NaN|Infinity/u);
    }
  }
  assert.ok(performance.now() - began < 5000);
});
