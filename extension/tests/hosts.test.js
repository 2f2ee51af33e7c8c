import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { address, holds, network } from "../lib/cidr.js";
import { evidenceOf, verdict } from "../lib/hosts.js";
import { MOST, compiled, plain, steps } from "../lib/pattern.js";
import { ruleset } from "../lib/ruleset.js";
import { seeded } from "./seeded.js";

const json = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf-8"));
const BUILT_IN = ruleset(json("extension/rules/hosts.json").rules);
const CASES = ["captures", "layers", "doubts", "odd", "ours"].flatMap((each) => json(`cases/hosts/${each}.json`));

const short = ({ state, hosts, ours, doubts }) => ({
  state,
  hosts: hosts.map((each) => [`${each.name} ${each.kind} ${each.confidence}`, ...each.evidence.map((one) => `${one.signal} ${one.what}: ${one.says}`)]),
  ours,
  doubts: doubts.map((each) => [each.why, each.names, each.what]),
});
const rulesOf = (each) => (each.rules === "built in" ? BUILT_IN : ruleset(each.rules)).rules;

test("there are cases enough", () => assert.ok(CASES.length >= 160));

for (const each of CASES) {
  test(each.name, () => assert.deepEqual(short(verdict(rulesOf(each), each.evidence)), each.expect));
}

test("addresses", () => {
  for (const each of json("cases/hosts/addresses.json")) assert.deepEqual(address(each.address) ?? null, each.bytes, each.address);
});

test("networks", () => {
  for (const each of json("cases/hosts/networks.json")) {
    const found = network(each.network);
    assert.equal(typeof found === "string" ? found : "network", each.is, each.network);
    if (typeof found === "string") continue;
    for (const one of each.inside) assert.ok(holds(found, address(one) ?? []), `${one} in ${each.network}`);
    for (const one of each.outside) assert.ok(!holds(found, address(one) ?? []), `${one} not in ${each.network}`);
  }
});

test("patterns", () => {
  for (const each of json("cases/hosts/patterns.json")) {
    assert.equal(steps(each.pattern), each.is, each.pattern);
    for (const one of each.yes) assert.ok(compiled(each.pattern).test(plain(one)), `${each.pattern} in ${one}`);
    for (const one of each.no) assert.ok(!compiled(each.pattern).test(plain(one)), `${each.pattern} not in ${one}`);
  }
});

test("rules are refused by name and field", () => {
  for (const each of json("cases/hosts/refused.json")) {
    const { rules, refused } = ruleset(each.rules);
    assert.deepEqual(refused.map(({ rule, field, why, what }) => [rule, field, why, what]), each.refused, each.name);
    assert.equal(rules.length, each.used, each.name);
  }
});

test("every built-in rule can be used and says where it is documented", () => {
  assert.deepEqual(BUILT_IN.refused, []);
  assert.ok(BUILT_IN.rules.length >= 30);
  for (const each of BUILT_IN.rules) assert.match(each.about, /^https:/, each.name);
});

test("the evidence of a page is its last response", () => {
  const hop = (name) => ({ status: 200, ip: "192.0.2.1", from: "network", headers: [[name, "HIT"]] });
  const page = { url: "https://a.example/", seen: true, why: "", hops: [hop("wpe-backend"), hop("x-kinsta-cache")] };
  assert.deepEqual(verdict(BUILT_IN.rules, evidenceOf(page)).hosts.map((each) => each.name), ["Kinsta"]);
  assert.equal(evidenceOf({ ...page, hops: [] }).seen, false);
  const unseen = evidenceOf({ ...page, seen: false, why: "service worker" }, { site: "Shop", a: ["185.199.108.153"] });
  assert.deepEqual(short(verdict(BUILT_IN.rules, unseen)).hosts.map((each) => each[0]), ["Shop host 3", "GitHub Pages host 3"]);
});

// ---- what holds of whatever comes

const NAMES = [...new Set(BUILT_IN.rules.flatMap((each) => each.headers.map(([name]) => name))), "date", "x-cache"];
const VALUES = ["HIT", "cloudflare", "Pantheon", "Pressable", "hostinger", "WP Engine", "1.1 vegur", "cache-cdg1-CDG", "1", "", "\u202e\u0000", "8f1d2c3b4a596877-CDG"];
const IPS = ["104.16.132.229", "::ffff:104.16.1.1", "23.185.0.2", "185.199.108.153", "203.0.113.9", "10.0.0.1", "2606:4700::1", "nonsense", ""];
const OURS = ruleset([{ name: "Ours", kind: "host", ours: true, confidence: 1, headers: { "x-ours": "" }, cidrs: ["203.0.113.0/24"], complete: true }]).rules;

function anything(random) {
  const headers = Array.from({ length: random.below(9) }, () => [random.one(NAMES), random.one(VALUES)]);
  return { url: random.one(["https://a.example/", "https://x.vercel.app/", ""]), seen: random.chance(90), status: random.one([200, 403, 503]), ip: random.one(IPS), source: random.one(["network", "cache"]), headers, cname: random.chance(20) ? ["x.fastly.net"] : [], site: random.chance(10) ? "Shop" : "" };
}

test("neither the order of headers nor the case of their names matters, nor another header", () => {
  const random = seeded(6);
  for (let round = 0; round < 3000; round += 1) {
    const evidence = anything(random);
    const before = verdict(BUILT_IN.rules, evidence);
    const spelled = random.shuffled(evidence.headers).map(([name, value]) => [[...name].map((each) => (random.chance(50) ? each.toUpperCase() : each)).join(""), value]);
    const more = [...spelled, [`x-${random.below(1e6)}-unrelated`, random.one(VALUES)]];
    assert.deepEqual(verdict(BUILT_IN.rules, { ...evidence, headers: random.shuffled(more) }), before);
  }
});

test("ours wins and is said; a CDN alone never says not ours; not ours has a sure host", () => {
  const random = seeded(7);
  const cdns = BUILT_IN.rules.filter((each) => each.kind === "cdn");
  for (let round = 0; round < 3000; round += 1) {
    const evidence = anything(random);
    const found = verdict(BUILT_IN.rules, evidence);
    assert.equal(found.state === "not_ours", !evidence.site && found.hosts.some((each) => each.kind === "host" && each.confidence === 3));
    assert.notEqual(verdict(cdns, evidence).state, "not_ours");
    const both = verdict([...BUILT_IN.rules, ...OURS], { ...evidence, seen: true, headers: [...evidence.headers, ["x-ours", "1"]] });
    assert.equal(both.state, "ours");
    assert.ok(both.ours.includes("Ours"));
    assert.ok(both.hosts.some((each) => each.ours && each.evidence.some((one) => one.what === "x-ours")));
  }
});

test("whatever pattern is let pass ends soon on whatever value", () => {
  const random = seeded(8);
  const pieces = ["a", "b", "[ab]", ".", "\\w", "a?", "a*", "a+", ".*", "b{0,9}", "(a|b)", "(a|ab)?", "(?:aa|a)", "|", "^", "$", "a{3,}", "(a*b)?", ")", "(", "(a+)+", "\\1"];
  const values = ["a".repeat(MOST.value), `${"ab".repeat(127)}x`, `${"a".repeat(255)}b`, "b".repeat(256)];
  let passed = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const pattern = Array.from({ length: 1 + random.below(12) }, () => random.one(pieces)).join("");
    if (typeof steps(pattern) !== "number") continue;
    passed += 1;
    assert.doesNotMatch(pattern, /\)[*+{]|\\\d/); // before it is tried: nothing could stop it
    const started = performance.now();
    for (const value of values) compiled(pattern).test(value);
    assert.ok(performance.now() - started < 250, pattern);
  }
  assert.ok(passed > 3000, `${passed}`);
});
