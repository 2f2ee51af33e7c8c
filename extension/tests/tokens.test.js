/** The extension and the console have the same tokens, and nothing else names a colour. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const UI = new URL("../ui/", import.meta.url);
const read = (name, base = UI) => readFileSync(new URL(name, base), "utf8");

test("the tokens are the console's", () => {
  assert.equal(read("tokens.css"), read("../../src/steelyard/web/css/tokens.css", new URL("./", import.meta.url)));
});

for (const name of readdirSync(UI).filter((each) => /\.(?:css|html|js)$/u.test(each) && each !== "tokens.css")) {
  test(`${name} has no colour of its own, no style and no script within`, () => {
    const source = read(name);
    if (name.endsWith(".css")) assert.doesNotMatch(source.replace(/\/\*[^]*?\*\//gu, ""), /#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(/iu);
    else assert.doesNotMatch(source, /\bstyle=|<style|<script(?![^>]*\bsrc=)|\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|\.style\b|document\.write/u);
    for (const [, token] of source.matchAll(/var\((--[\w-]+)/gu)) assert.match(read("tokens.css"), new RegExp(`${token}:`, "u"));
  });
}
