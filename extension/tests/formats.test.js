import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { defang } from "../lib/defang.js";
import { curl, markdown, note, quoted, text, visible } from "../lib/formats.js";
import { trusting } from "../lib/trust.js";
import { LANGUAGES, saying } from "./messages.js";
import { seeded } from "./seeded.js";

/** @param {string[]} trusted */
const safe = (trusted) => (/** @type {string} */ text) => defang(text, trusting(trusted));

const say = saying("en");
const hop = (url, headers, more = {}) => ({ url, status: 200, ip: "192.0.2.1", headers, left: 0, asked: 0, ms: 35, from: "network", ...more });
const page = (hops, more = {}) => ({ id: "1", url: hops.at(-1)?.url ?? "https://shop.example/", at: hops.at(-1)?.url ?? "https://shop.example/", time: Date.UTC(2026, 10, 22, 18), hops, seen: true, why: "", error: "", ms: 80, ...more });
const SHOP = page([
  hop("http://shop.example/", [["Location", "https://shop.example/"]], { status: 301, ms: 12 }),
  hop("https://shop.example/", [["Server", "nginx"], ["Cache-Control", "no-store"], ["Set-Cookie", "wordpress_logged_in=SECRET; Secure; HttpOnly; SameSite=Lax"], ["X-Made-Up", "1"]], { ip: "2001:db8::1" }),
]);

/** Where a command that got out of its quotes finds and breaks nothing. */
const NOWHERE = mkdtempSync(join(tmpdir(), "quoted-"));
after(() => rmSync(NOWHERE, { recursive: true }));

/** What a shell makes of a command: its arguments. */
function argumentsIn(shell, command) {
  const out = execFileSync(shell, ["-c", `curl() { for each; do printf '%s\\0' "$each"; done; }; ${command}`], {
    encoding: "utf8", cwd: NOWHERE, stdio: ["ignore", "pipe", "ignore"], timeout: 5000,
  });
  return out.split("\0").slice(0, -1);
}

test("as text: each hop with status, server, time, source and all its headers", () => {
  assert.equal(text(SHOP, say), `Headers of https://shop.example/
Loaded at 2026-11-22 18:00:00 UTC

301 http://shop.example/ · 192.0.2.1 · 12 ms · from the network
Location: https://shop.example/

200 https://shop.example/ · 2001:db8::1 · 35 ms · from the network
Server: nginx
Cache-Control: no-store
Set-Cookie: wordpress_logged_in=(value left out); Secure; HttpOnly; SameSite=Lax
X-Made-Up: 1
`);
});

test("a copy from the browser's cache, an unseen page, an error and what is left out are said in words", () => {
  assert.match(text(page([hop("https://a.example/", [], { from: "cache", ip: "" })]), say), /200 https:\/\/a\.example\/ · 35 ms · from your browser’s cache: reload without cache/u);
  for (const why of ["service worker", "back/forward cache", "not permitted", "not from the web", "failed"]) {
    assert.match(text(page([], { seen: false, why, error: "net::ERR_FAILED" }), say), /No response/u, why);
  }
  assert.match(text(page([], { seen: false, why: "failed", error: "net::ERR_FAILED" }), say), /net::ERR_FAILED/u);
  assert.match(text(page([hop("https://a.example/", [], { left: 3 })], { error: "net::ERR_RESET", at: "https://a.example/b" }), say), /Now at .*\/b\nLoading broke off: net::ERR_RESET\n[^]*\(3 more/u);
});

test("as Markdown: headers in code blocks, what may explain a problem below", () => {
  assert.equal(markdown(SHOP, say), `### Headers of \`https://shop.example/\`

Loaded at 2026-11-22 18:00:00 UTC

\`301 http://shop.example/ · 192.0.2.1 · 12 ms · from the network\`

\`\`\`http
Location: https://shop.example/
\`\`\`

\`200 https://shop.example/ · 2001:db8::1 · 35 ms · from the network\`

\`\`\`http
Server: nginx
Cache-Control: no-store
Set-Cookie: wordpress_logged_in=(value left out); Secure; HttpOnly; SameSite=Lax
X-Made-Up: 1
\`\`\`

#### To look at

- \`Cache-Control: no-store\`: ${say("value_no_store")}
- \`Set-Cookie: wordpress_logged_in=(value left out); Secure; HttpOnly; SameSite=Lax\`: ${say("value_cookie_login")}
`);
});

test("no header gets out of its code block, its line or its code span", () => {
  const hostile = "```\n# out\u2028![x](https://evil.example/x.png) `` <img src=x> \u202e\u200b\u0000";
  for (const name of ["x-cacheable", "x-made-up", "set-cookie", "content-security-policy"]) {
    const lines = markdown(page([hop("https://a.example/", [[name, `NO:${hostile}`], ["x-last", "1"]])]), say).split("\n");
    const fence = lines.findIndex((line) => /^`{3,}http$/u.test(line));
    const ticks = lines[fence].replace("http", "");
    assert.equal(lines[fence + 2], "x-last: 1", name);
    assert.equal(lines[fence + 3], ticks, name);
    assert.ok(lines.slice(fence + 1, fence + 3).every((line) => !line.includes(ticks) && !/[\u2028\u202e\u200b\u0000]/u.test(line)), name);
    const after = lines.slice(fence + 4).filter((line) => line.startsWith("- "));
    for (const line of after) assert.doesNotMatch(line.replace(/(?<!`)(`+)(?!`)[^]*?(?<!`)\1(?!`)/gu, ""), /evil|out/u, name);
  }
});

test("what cannot be seen is written so that it can", () => {
  assert.equal(visible("a\u202eb\u200bc\u0007d\r\ne\tf\u{e0041}é"), "a\\u{202e}b\\u{200b}c\\u{7}d\\u{d}\\u{a}e f\\u{e0041}é");
});

test("a name and password in the address are left out everywhere", () => {
  const one = page([hop("https://user:pass@shop.example/", [])]);
  for (const copied of [text(one, say), markdown(one, say), curl(one), note(one, say, safe([]))]) assert.doesNotMatch(copied, /user|pass@/u);
});

test("the command asks the same servers, from the first hop on", () => {
  assert.deepEqual(argumentsIn("sh", curl(SHOP, [["User-Agent", "Mozilla/5.0 (it's)"]])), [
    "--silent", "--show-error", "--dump-header", "-", "--output", "/dev/null", "--compressed", "--globoff", "--location", "--max-redirs", "20",
    "--proto", "=http,https", "--resolve", "shop.example:80:192.0.2.1", "--resolve", "shop.example:443:[2001:db8::1]",
    "--header", "User-Agent: Mozilla/5.0 (it's)", "--url", "http://shop.example/",
  ]);
  assert.equal(curl(page([], { url: "chrome://newtab/", at: "chrome://newtab/", seen: false })), "");
});

test("hostile addresses and headers stay one argument each, and run nothing", () => {
  const random = seeded(11);
  const parts = ["'", '"', "`id`", "$(id)", "$HOME", "\\", ";", "&&", "|", "\n", "\r", "\u0000", "!", "*", "~", "#", "{a,b}", "[1-9]", " ", "-", "@/etc/passwd", "é", "\u2028", "%0a", "<", ">"];
  for (let round = 0; round < 60; round++) {
    const bad = () => Array.from({ length: 1 + random.below(8) }, () => random.one(parts)).join("");
    const url = new URL(`https://shop.example/${bad()}?${bad()}`).href;
    const headers = [[`x-${round}`, bad()], [bad(), "no name"], ["@x", bad()]];
    const command = curl(page([hop(url, [["location", bad()]], { ip: bad() })]), headers);
    assert.doesNotMatch(command, /[\u0000-\u001f\u2028]/u);
    const given = argumentsIn(random.one(["sh", "bash"]), command);
    assert.equal(given.at(-1), url);
    assert.equal(given.at(-2), "--url");
    const sent = given.flatMap((each, at) => (each === "--header" ? [given[at + 1]] : []));
    assert.ok(sent.length >= 1 && sent.every((each) => /^[a-z0-9!#$%&'*+.^_`|~-]+[:;]/iu.test(each)), JSON.stringify(sent));
  }
});

test("any text is one argument", () => {
  for (const each of ["", "a", "it's", "'", "''", "=http", "~root", "$HOME", "`id`", "a b", "$(id)", "-x", "\\", "é\n"]) {
    assert.deepEqual(argumentsIn("sh", `curl ${quoted(each)}`), [each]);
  }
  assert.equal(quoted("=http"), "'=http'", "zsh reads a word that begins with = as the name of a program");
});

test("curl takes the command as it is meant", { skip: spawnSync("curl", ["--version"]).status !== 0 && "there is no curl" }, async () => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push([request.headers.host, request.url, request.headers["x-sent"]]);
    response.writeHead(request.url === "/?{a}[1]" ? 302 : 200, { location: "/done" }).end("body");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  const command = curl(page([hop(`http://shop.example:${port}/?{a}[1]`, [], { ip: "127.0.0.1" })]), [["x-sent", "@it's"]]);
  after(() => server.close());
  const { stdout } = await promisify(execFile)("sh", ["-c", command], { cwd: NOWHERE, timeout: 5000, env: { PATH: process.env.PATH, no_proxy: "*" } });
  assert.deepEqual(asked, [[`shop.example:${port}`, "/?{a}[1]", "@it's"], [`shop.example:${port}`, "/done", "@it's"]]);
  assert.match(stdout, /302 Found[^]*200 OK/u);
  assert.doesNotMatch(stdout, /body/u);
});

test("a note has the way, what locates a problem and what to look at, and no live address", () => {
  assert.equal(note(SHOP, say, safe([])), `Headers of hxxps://shop[.]example/
Loaded at 2026-11-22 18:00:00 UTC
301 hxxp://shop[.]example/ · 192.0.2.1 · 12 ms · from the network
200 hxxps://shop[.]example/ · 2001:db8::1 · 35 ms · from the network

Cache
Cache-Control: no-store — ${say("value_no_store")}

Server
Server: nginx

Cookies
Set-Cookie: wordpress_logged_in=(value left out); Secure; HttpOnly; SameSite=Lax — ${say("value_cookie_login")}
`);
  assert.match(note(SHOP, say, safe(["shop.example"])), /^Headers of https:\/\/shop\.example\/\n/u);
});

test("a note stays short, and no value of a cookie is in anything that is copied", () => {
  const headers = Array.from({ length: 90 }, (_, at) => ["via", `${at} ${"v".repeat(4000)}`]);
  const long = note(page([hop("https://a.example/", headers)]), say, safe([]));
  assert.ok(long.length < 10_000 && long.split("\n").length <= 42);
  for (const language of LANGUAGES) {
    const words = saying(language);
    for (const copied of [text(SHOP, words), markdown(SHOP, words), note(SHOP, words, safe([])), curl(SHOP)]) assert.doesNotMatch(copied, /SECRET/u);
  }
});

test("a cookie without a name is a value, and left out as one", () => {
  const bare = page([hop("https://shop.example/", [["Set-Cookie", "SECRET; Path=/"]])]);
  for (const all of [text(bare, say), markdown(bare, say), note(bare, say, safe([]))]) assert.doesNotMatch(all, /SECRET/u);
});
