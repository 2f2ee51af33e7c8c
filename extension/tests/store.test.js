/** What is kept and asked, where servers, policies and moments are not as one hopes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser } from "./browser.js";

const CODE = "us1~AbCdEf0123456789";
const LINK = `https://steelyard.example/companion/connect#${CODE}`;
const answers = {
  "/api/companion/connect/look": { body: { workspace: { id: "us1", name: "Us" }, person: { name: "Ana", address: "ana@us.example" } } },
  "/api/companion/token": {},
  "/api/companion/connect": { status: 201, body: { token: "t", workspace: { id: "us1", name: "Us" }, expires_at: "" } },
};

test("what a server said of a host is kept only as far as it has the shape: else its page would have no verdict any more", async () => {
  browser();
  const { askedOf, keepAsked } = await import("../store/pages.js");
  await keepAsked("shop.example", { a: 5, aaaa: [null, "2001:db8::1", {}], cname: "x", ns: ["ns.example"], site: { name: "x" } });
  assert.deepEqual(await askedOf("shop.example"), { a: [], aaaa: ["2001:db8::1"], cname: [], ns: ["ns.example"] });
  await keepAsked("shop.example", null);
  assert.deepEqual((await askedOf("shop.example")).a, []);
});

test("a policy that names a server that cannot be one lets nobody connect, rather than with everybody", async () => {
  const { connect } = await import("../store/team.js");
  for (const server of ["http://steelyard.example", "https://a:b@steelyard.example", "https://"]) {
    const { asked } = browser({ managed: { server }, answers });
    assert.equal((await connect(LINK)).problem?.say, "team_not_companys", server);
    assert.deepEqual(asked, []);
  }
  browser({ managed: { server: "steelyard.example" }, answers });
  assert.deepEqual(await connect(LINK), { ok: true });
});

test("a link that was declined is not followed because another permission is given", async () => {
  const { chrome, permitted, asked } = browser({ answers });
  await import("../background/team.js");
  await chrome.storage.session.set({ connecting: { link: LINK, at: Date.now() } });
  permitted.add("<all_urls>");
  await chrome.permissions.onAdded.tell({ origins: ["<all_urls>"] });
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(asked, []);
  await chrome.permissions.onAdded.tell({ origins: ["https://steelyard.example/*"] });
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(asked.map(({ url }) => url), ["https://steelyard.example/api/companion/connect/look"], "whom it connects, and no more");
  assert.deepEqual((await chrome.storage.session.get("connecting")).connecting.whom, { workspace: "Us", name: "Ana", address: "ana@us.example" });
});

test("nobody is connected by a link before they were shown whom it connects", async () => {
  const { chrome, permitted, asked } = browser({ answers });
  const { see, finish } = await import("../background/team.js");
  permitted.add("https://steelyard.example/*");
  await chrome.storage.session.set({ connecting: { link: LINK, at: Date.now() } });
  await finish();
  assert.deepEqual(asked, []);
  await see();
  await finish();
  assert.equal(chrome.storage.local.kept.team.token, "t");
  assert.equal(chrome.storage.session.kept.connecting, undefined);
});

const OLD = { server: "https://old.example", token: "old", workspace: { id: "w", name: "W" }, person: { name: "", engineer: null }, expires_at: "2027-02-20T10:00:00+00:00", names: "", code: "" };
const LEFT = { say: "team_left", values: ["https://old.example", "2027-02-20"], why: "" };
/** Which tokens were revoked where. */
const revoked = (asked) => asked.filter(({ method }) => method === "DELETE").map(({ url, headers }) => [url, headers.get("authorization")]);
const GONE = [["https://old.example/api/companion/token", "Bearer old"]];

test("connecting elsewhere and disconnecting have the older token revoked where it is from, and give its permission back", async () => {
  const { connect, disconnect } = await import("../store/team.js");
  for (const act of [() => connect(LINK), () => disconnect()]) {
    const { chrome, asked, permitted } = browser({ answers });
    permitted.add("https://old.example/*");
    await chrome.storage.local.set({ team: OLD });
    await act();
    assert.deepEqual(revoked(asked), GONE);
    assert.deepEqual([...permitted], []);
    assert.notEqual(chrome.storage.local.kept.team?.token, "old");
    assert.equal(chrome.storage.session.kept.connecting, undefined);
  }
});

test("a server that cannot be told leaves a sentence on how long its token lasts; one that ended it needs none", async () => {
  const { connect, disconnect } = await import("../store/team.js");
  const told = (status) => browser({ answers: { ...answers, "/api/companion/token": { status } } });
  const { chrome } = told(503);
  await chrome.storage.local.set({ team: OLD });
  assert.deepEqual(await connect(LINK), { ok: true, problem: LEFT });
  await chrome.storage.local.set({ team: OLD });
  await disconnect();
  assert.deepEqual(chrome.storage.session.kept.connecting.problem, LEFT);
  assert.equal(chrome.storage.local.kept.team, undefined);
  const again = told(401).chrome;
  await again.storage.local.set({ team: OLD });
  assert.deepEqual(await connect(LINK), { ok: true });
});

test("a policy that names another server ends the connection that there is", async () => {
  const { chrome, asked } = browser({ managed: { server: "steelyard.example" }, answers });
  await import("../background/team.js");
  const { refresh } = await import("../store/team.js");
  await chrome.storage.local.set({ team: { ...OLD, checked_at: Date.now() } });
  await refresh();
  assert.deepEqual(revoked(asked), GONE);
  assert.equal(chrome.storage.local.kept.team, undefined);
  await chrome.storage.local.set({ team: { ...OLD, server: "https://steelyard.example" } });
  await refresh();
  assert.equal(chrome.storage.local.kept.team.token, "old");
});

test("one event that cannot be read holds up no other: else no tab would ever show anything again", async () => {
  const { chrome } = browser();
  await import("../background/pages.js");
  const committed = (tabId, url) => chrome.webNavigation.onCommitted.tell({ tabId, frameId: 0, timeStamp: 1, url, documentLifecycle: "active" });
  await committed(1, "https://a:b:c/");
  await committed(2, "https://shop.example/");
  await new Promise((done) => setTimeout(done, 400));
  assert.deepEqual(Object.keys(chrome.storage.session.kept), ["tab 2"]);
});

test("what is drawn waits for no policy: the last one counts until the browser answers, which then is kept", async () => {
  const { chrome } = browser();
  /** @type {(said: object) => void} */
  let answer = () => undefined;
  chrome.storage.managed.get = () => new Promise((done) => (answer = done));
  await chrome.storage.local.set({ policy: { rules: "[]" } });
  const { policySoon } = await import("../store/policy.js?slow");
  const late = new Promise((done) => setTimeout(done, 30, "late"));
  assert.deepEqual(await Promise.race([policySoon(), late]), { rules: "[]" });
  answer({ rules: "[1]" });
  await late;
  assert.deepEqual(chrome.storage.local.kept.policy, { rules: "[1]" });
  chrome.storage.managed.get = async () => ({ rules: "[2]" });
  assert.deepEqual(await policySoon(), { rules: "[2]" });
});
