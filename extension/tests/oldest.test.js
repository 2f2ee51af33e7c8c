/** What the manifest says of the oldest browser: it has all that is used. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);
/** Since which Chrome each is there; what is older than 110 is not looked for. */
const SINCE = [
  ["showPopover\\(", 114], ["sidePanel\\.open\\(", 116], ["matchOriginAsFallback", 119], ["URL\\.canParse\\(", 120], ["name: \"runbook\"", 120],
  ["light-dark\\(", 123], ["field-sizing:", 123], ["URL\\.parse\\(", 126], ["Promise\\.withResolvers\\(", 119], ["Promise\\.try\\(", 128],
  ["\\.(?:values|keys|entries)\\(\\)\\s*\\.(?:map|filter|find|some|every|reduce|toArray|take|drop|flatMap|forEach)\\(", 122],
  ["\\.(?:union|intersection|difference|symmetricDifference|isSubsetOf|isSupersetOf|isDisjointFrom)\\(", 122],
  ["\\bObject\\.groupBy\\(", 117], ["\\bArray\\.fromAsync\\(", 121], ["\\bRegExp\\.escape\\(", 136], ["caretPositionFromPoint\\(", 128],
  ["\\.(?:toBase64|toHex)\\(|\\.from(?:Base64|Hex)\\(", 140], ["\\bIntl\\.DurationFormat\\b", 129], ["\\.moveBefore\\(", 133],
  ["text-wrap(?:-style)?: *balance", 114], ["text-wrap(?:-style)?: *pretty", 117], ["@starting-style", 117], ["interpolate-size", 129],
  ["::details-content", 131], ["::scroll-button", 135], ["\\banchor\\(|anchor-name", 125], ["oklch\\(from", 119], ["\\bif\\(\\s*(?:style|media|supports)\\(", 137],
];

test("the oldest browser that may install it has everything that it uses", () => {
  const oldest = Number(JSON.parse(readFileSync(new URL("manifest.json", ROOT), "utf8")).minimum_chrome_version);
  const files = ["background", "composer", "lib", "store", "ui"].flatMap((folder) => readdirSync(new URL(folder, ROOT)).map((name) => `${folder}/${name}`));
  for (const file of files) {
    const code = readFileSync(new URL(file, ROOT), "utf8").replace(/\/\*[^]*?\*\//gu, "");
    for (const [pattern, since] of SINCE) assert.ok(since <= oldest || !new RegExp(pattern, "u").test(code), `${file}: ${pattern} is there since ${since}`);
  }
});
