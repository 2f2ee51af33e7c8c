/** The popup has to be there at once: what it imports is named in its page, so that nothing is found out late. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { telling } from "../lib/headers.js";

const UI = new URL("../ui/", import.meta.url);

/** All that a module imports at once. @param {URL} module @param {Set<string>} seen */
function imported(module, seen = new Set()) {
  const source = readFileSync(module, "utf8");
  for (const [, name] of source.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)"/gmu)) {
    const { href } = new URL(name, module);
    if (!seen.has(href)) imported(new URL(href), seen.add(href));
  }
  return seen;
}

test("the popup's page names all modules that it imports, and no others", () => {
  const page = readFileSync(new URL("popup.html", UI), "utf8");
  const named = [...page.matchAll(/rel="modulepreload" href="([^"]+)"/gu)].map(([, href]) => new URL(href, UI).href);
  assert.deepEqual(named.toSorted(), [...imported(new URL("popup.js", UI))].sort());
});

test("the most telling headers are those that may explain a problem, then what caches say, then who answered", () => {
  const headers = Object.entries({ "x-other": "1", server: "nginx", "x-cache": "HIT", "x-powered-by": "PHP/7.4.1", date: "now" });
  assert.deepEqual(telling(headers, "https://a.example/").map(({ name }) => name), ["x-powered-by", "x-cache", "server"]);
  assert.deepEqual(telling(headers, "https://a.example/", 1).map(({ name }) => name), ["x-powered-by"]);
  assert.deepEqual(telling([], "https://a.example/"), []);
});
