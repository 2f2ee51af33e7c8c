import assert from "node:assert/strict";
import { test } from "node:test";
import { conversationOf, hostOf, patternOf, readLink, serverOf } from "../lib/link.js";

const CODE = "us1_0123456789abcdef~AbCdEf0123456789_-AbCdEf0123456789_-AbCd";

test("a connect link says where to and with what", () => {
  assert.deepEqual(readLink(`https://steelyard.example/companion/connect#${CODE}`), { origin: "https://steelyard.example", code: CODE });
  assert.deepEqual(readLink(`  https://steelyard.example:8443/companion/connect#${CODE}\n`), { origin: "https://steelyard.example:8443", code: CODE });
});

test("plain http is for this machine alone", () => {
  for (const host of ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "2130706433:8000"]) {
    assert.ok("origin" in readLink(`http://${host}/companion/connect#${CODE}`), host);
  }
  for (const host of ["steelyard.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2", "[::2]", "10.0.0.1"]) {
    assert.deepEqual(readLink(`http://${host}/companion/connect#${CODE}`), { refused: "link_scheme" }, host);
  }
  for (const scheme of ["ftp", "ws", "file", "chrome", "javascript", "data"]) {
    assert.ok("refused" in readLink(`${scheme}://localhost/companion/connect#${CODE}`), scheme);
  }
});

test("an address with user info is refused: it reads as another server than it is", () => {
  for (const user of ["steelyard.example@", "a:b@", ":b@", "a:@"]) {
    assert.deepEqual(readLink(`https://${user}evil.example/companion/connect#${CODE}`), { refused: "link_user" }, user);
  }
});

test("only the page that connects, with a code, is a connect link", () => {
  for (const path of ["/companion", "/companion/connect/", "/x/companion/connect", "/companion/connect?a=b", "/companion/connecting"]) {
    assert.deepEqual(readLink(`https://steelyard.example${path}#${CODE}`), { refused: "link_path" }, path);
  }
  for (const code of ["", "#", "#abc", "#~AbCdEf0123456789", "#us1~short", `#${CODE}~more`, `#${CODE}/..`, `#${CODE}%20`, `#us1~${"x".repeat(201)}`]) {
    assert.deepEqual(readLink(`https://steelyard.example/companion/connect${code}`), { refused: "link_code" }, code);
  }
});

test("what is no address, or is too long for one, is no link", () => {
  for (const text of ["", " ", "hello", "steelyard.example/companion/connect", `https://steelyard.example/${"x".repeat(2000)}`]) {
    assert.deepEqual(readLink(text), { refused: "link_none" }, text.slice(0, 40));
  }
});

test("a server is known by its origin, wherever in the console its address was copied", () => {
  assert.equal(serverOf("https://steelyard.example/desk?zone=utc"), "https://steelyard.example");
  assert.equal(serverOf("http://localhost:8000"), "http://localhost:8000");
  for (const text of ["http://steelyard.example", "https://a@steelyard.example", "steelyard.example", ""]) assert.equal(serverOf(text), undefined, text);
});

test("the browser is asked for one name alone", () => {
  assert.equal(patternOf("https://steelyard.example:8443"), "https://steelyard.example/*");
  assert.equal(patternOf("http://127.0.0.1:8000"), "http://127.0.0.1/*");
  assert.equal(patternOf("http://[::1]:8000"), "http://[::1]/*");
});

test("the conversation of a tab is known by its address", () => {
  for (const [address, found] of [
    ["https://app.intercom.com/a/inbox/abc123/inbox/admin/1/conversation/215470", "215470"],
    ["https://app.eu.intercom.com/a/inbox/abc123/conversation/7?view=List", "7"],
    ["https://app.intercom.com/a/apps/abc123/conversations/7/x", "7"],
    ["http://127.0.0.1:8001/a/inbox/abc/conversation/42#part", "42"],
    ["https://app.intercom.com/a/inbox/abc123/conversation/x7", undefined],
    ["https://app.intercom.com/a/inbox/abc123/inbox/admin/1", undefined],
    ["https://app.intercom.com/a/inbox/abc123/conversation/12345678901234567890", undefined],
    ["not an address", undefined],
  ]) assert.equal(conversationOf(address), found, address);
});

test("the host of a page", () => {
  assert.equal(hostOf("https://Shop.Example.:8443/a"), "shop.example");
  assert.equal(hostOf("https://user@b\u00fccher.example/"), "xn--bcher-kva.example");
  for (const address of ["chrome://newtab", "file:///etc/passwd", "about:blank", "", "data:text/html,x"]) assert.equal(hostOf(address), undefined, address);
});

test("a long address has a host as a short one has: else a site of ours with a long query is nobody's", () => {
  assert.equal(hostOf(`https://shop.example/?${"a".repeat(5000)}`), "shop.example");
  assert.equal(hostOf(`http://shop.example./${"a".repeat(100_000)}`), "shop.example");
});
