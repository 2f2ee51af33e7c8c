/** extension/lib is run by Node and by the extension alike: it knows neither the browser nor the page, nor the time. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const LIB = new URL("../lib/", import.meta.url);
const OUTSIDE = /\b(?:chrome|document|window|globalThis|localStorage|navigator|process)\s*\.|\b(?:fetch|setTimeout|setInterval|require|eval|Function)\s*\(|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bimport\(|\bfrom "(?!\.\/)/u;

for (const name of readdirSync(LIB).filter((each) => each.endsWith(".js"))) {
  test(`${name} is pure, checked, and short enough to be read`, () => {
    const source = readFileSync(new URL(name, LIB), "utf8");
    const code = source.replace(/\/\*[^]*?\*\/|\/\/.*/gu, "");
    assert.doesNotMatch(code, OUTSIDE);
    assert.match(source, /^\/\/ @ts-check\n/u);
    assert.ok(source.split("\n").length <= 401);
  });
}
