// @ts-check
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { defang, refang } from "../lib/defang.js";
import { find } from "../lib/detect.js";
import { TLDS } from "../lib/tlds.js";
import { isTrustedTarget, trusting } from "../lib/trust.js";
import { pieces } from "./pieces.js";
import { seeded } from "./seeded.js";

const ROOT = new URL("../../", import.meta.url);
const ODD_DOTS = /[\u3002\uff0e\uff61\u2024]/gu;
const TRUSTED = trusting(["trusted.com"]);

/** @param {string} folder */
function files(folder) {
  const at = new URL(`cases/${folder}/`, ROOT);
  const names = readdirSync(at).filter((name) => name.endsWith(".json"));
  return names.map((name) => /** @type {const} */ ([name, JSON.parse(readFileSync(new URL(name, at), "utf8"))]));
}

for (const [name, { trusted, cases = [], back = [], found = [] }] of files("defang")) {
  test(`the shared cases of defang/${name}`, () => {
    const domains = trusting(trusted);
    for (const each of cases) {
      assert.equal(defang(each.text, domains), each.becomes);
      assert.equal(defang(each.becomes, domains), each.becomes, `a second time: ${each.text}`);
      assert.equal(refang(each.becomes), each.back ?? each.text, `back: ${each.text}`);
    }
    for (const each of back) assert.equal(refang(each.text), each.becomes);
    for (const each of found) assert.deepEqual(find(each.text).map(({ start, end }) => each.text.slice(start, end)), each.finds);
  });
}

for (const [name, { trusted, cases, refused = [], kept = {} }] of files("trust")) {
  test(`the shared cases of trust/${name}`, () => {
    const domains = trusting(trusted);
    for (const each of cases) assert.equal(isTrustedTarget(each.href, domains), each.trusted, each.href);
    for (const each of refused) assert.throws(() => trusting([each]), TypeError, each);
    for (const [each, domain] of Object.entries(kept)) assert.deepEqual([...trusting([each])], [domain]);
  });
}

test("there are enough shared cases", () => {
  const all = [...files("defang"), ...files("trust")].flatMap(([, { cases = [], back = [] }]) => [...cases, ...back]);
  assert.ok(all.length >= 700);
});

test("of any text nothing is lost, nothing is done twice, and all of it comes back", () => {
  const random = seeded(6);
  for (let count = 0; count < 20_000; count++) {
    const text = pieces(random);
    const done = defang(text, TRUSTED);
    assert.equal(defang(done, TRUSTED), done, `a second time: ${JSON.stringify(text)}`);
    assert.equal(refang(done).replace(ODD_DOTS, "."), refang(text).replace(ODD_DOTS, "."), JSON.stringify(text));
  }
});

test("what is found is in order, and within the text", () => {
  const random = seeded(7);
  for (let count = 0; count < 5_000; count++) {
    const text = pieces(random);
    let before = 0;
    for (const { start, authority, rest, limit, end } of find(text)) {
      assert.ok(before <= start && start <= authority && authority <= rest && rest <= end && end <= limit && limit <= text.length, text);
      before = end;
    }
  }
});

test("trusted addresses stay, whatever stands around them", () => {
  const random = seeded(8);
  const around = ["", " ", "\n", "(", "\"", "“", "see ", "<", "**"];
  const closing = ["", " ", "\n", ")", "\"", "”", ".", ", and", ">", "**", "!"];
  const paths = ["", "/", "/a/b.php?x=1&y=2#z", "/wiki/A_(b)", "?q=%20", "/é"];
  for (let count = 0; count < 5_000; count++) {
    const text = random.one(around) + random.one(["https://", "http://", "HTTPS://"]) + random.one(["", "www.", "a.b."]) + random.one(["trusted.com", "TRUSTED.com"]) + random.one(paths) + random.one(closing);
    assert.equal(defang(text, TRUSTED), text);
  }
});

test("hosts that are one sign away from a trusted one are not trusted", () => {
  const random = seeded(9);
  const signs = [..."abz019-_.@%\\:#?/[]\u200b\u00ad\u3002\uff0eсоеｅ\u0301"];
  for (let count = 0; count < 20_000; count++) {
    const host = [..."trusted.com"];
    host.splice(random.below(host.length + 1), random.below(2), random.one(signs));
    const href = `https://${host.join("")}/`;
    if (!isTrustedTarget(href, TRUSTED) && defang(`${href} `, TRUSTED) !== `${href} `) continue;
    const { hostname } = new URL(href);
    assert.ok(hostname === "trusted.com" || hostname === "trusted.com." || hostname.endsWith(".trusted.com"), href);
  }
});

test("hostile texts take no longer than their length", () => {
  const units = [".", "@", "[", "(", "http://", "http:", "http:x", "ab://c/", "http://a/", "a.com,", "t.co,", "https://t.co/(", "www.", "a@a.co-x", "$x.name-x.name", "a.sh-", "é.é ", "\u200b.", "[:", "hxxp:", "www.t.co,", "http://\"x", "//[a", "a.co@a-", "ab.co\u2713"];
  const domains = trusting(["t.co"]);
  for (const unit of units) {
    for (const end of ["", ")".repeat(50_000), "/http://evil.com"]) {
      const text = unit.repeat(100_000 / unit.length) + end;
      const started = performance.now();
      refang(defang(text, domains));
      find(text);
      const took = performance.now() - started;
      assert.ok(took < 3_000, `${Math.round(took)} ms for ${unit}`);
    }
  }
});

test("the top-level domains are those of the Python side", () => {
  const others = readFileSync(new URL("src/steelyard/companion/tlds.txt", ROOT), "utf8").split(/\s+/u).filter(Boolean);
  assert.deepEqual([...TLDS].sort(), others.sort());
});

test("the top-level domains are those of the root zone", (context) => {
  let root;
  try {
    root = /** @type {string[]} */ (createRequire(import.meta.url)("tlds"));
  } catch {
    return context.skip("the npm package tlds is not installed");
  }
  const unknown = root.map((each) => new URL(`http://a.${each}/`).hostname.slice(2)).filter((each) => !TLDS.has(each));
  assert.deepEqual(unknown, []);
});
