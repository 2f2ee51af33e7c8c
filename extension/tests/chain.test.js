import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, NOTHING, loadBefore, pageOf, pages } from "../lib/chain.js";
import { ofPage, ofRequest } from "../lib/events.js";

const SITE = "https://shop.example/";
const OTHER = "https://other.example/";

/** What Chrome tells of one page load, in its order. */
const load = (url, { id = "1", tab = 7, time = 1000, status = 200, headers = [["x-of", url]], cached = false, ip = "192.0.2.7" } = {}) => {
  const asked = { id, tab, url };
  return [
    { kind: "began", tab, frame: 0, time: time - 1, url, lifecycle: "active" },
    { kind: "request", ...asked, time },
    { kind: "headers", ...asked, time: time + 40, status, headers },
    { kind: "started", ...asked, time: time + 41, status, headers, cached, ip: cached ? undefined : ip },
    { kind: "committed", tab, frame: 0, time: time + 50, url, lifecycle: "active", qualifiers: [] },
    { kind: "completed", ...asked, time: time + 90, status, headers, cached, ip: cached ? undefined : ip },
  ];
};
const fold = (events, from = NOTHING) => events.reduce(pages, from);
const commit = (url, more = {}) => ({ kind: "committed", tab: 7, frame: 0, time: 5000, url, lifecycle: "active", qualifiers: [], ...more });
const began = (url, time = 4000) => ({ kind: "began", tab: 7, frame: 0, time, url });
const shown = (events, from) => pageOf(fold(events, from), 7);
const header = (page) => page.hops.at(-1)?.headers;

test("a page has the headers, status, address and times of its response", () => {
  const page = shown(load(SITE));
  assert.equal(page.seen, true);
  assert.equal(page.why, "");
  assert.deepEqual(page.hops, [
    { url: SITE, status: 200, ip: "192.0.2.7", headers: [["x-of", SITE]], left: 0, asked: 1000, ms: 40, from: "network" },
  ]);
  assert.equal(page.ms, 90);
});

test("nothing is known of a tab before anything was told of it", () => {
  assert.equal(pageOf(NOTHING, 7), undefined);
  assert.equal(loadBefore(NOTHING, 7), undefined);
});

test("until the next page is committed, the one before is shown", () => {
  const state = fold([...load(SITE), ...load(OTHER, { id: "2", time: 2000 }).slice(0, 4)]);
  assert.equal(pageOf(state, 7).url, SITE);
  assert.deepEqual(header(pageOf(state, 7)), [["x-of", SITE]]);
});

test("each hop of a redirect chain keeps its own status, headers, address and time", () => {
  const [plain, www] = ["http://shop.example/", "https://shop.example/start"];
  const page = shown([
    began(plain, 999),
    { kind: "request", id: "1", tab: 7, time: 1000, url: plain },
    { kind: "headers", id: "1", tab: 7, time: 1010, url: plain, status: 301, headers: [["location", SITE]] },
    { kind: "redirect", id: "1", tab: 7, time: 1012, url: plain, to: SITE, status: 301, headers: [["location", SITE]], ip: "192.0.2.1", cached: true },
    { kind: "request", id: "1", tab: 7, time: 1012, url: SITE },
    { kind: "headers", id: "1", tab: 7, time: 1112, url: SITE, status: 302, headers: [["x-redirect-by", "WordPress"]] },
    { kind: "redirect", id: "1", tab: 7, time: 1113, url: SITE, to: www, status: 302, headers: [["x-redirect-by", "WordPress"]], ip: "192.0.2.2", cached: false },
    { kind: "request", id: "1", tab: 7, time: 1113, url: www },
    { kind: "headers", id: "1", tab: 7, time: 1413, url: www, status: 200, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] },
    { kind: "started", id: "1", tab: 7, time: 1414, url: www, status: 200, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]], ip: "2001:db8::1", cached: false },
    commit(www, { time: 1420 }),
  ]);
  assert.deepEqual(page.hops.map((hop) => [hop.url, hop.status, hop.ip, hop.ms, hop.from]), [
    [plain, 301, "192.0.2.1", 10, "cache"],
    [SITE, 302, "192.0.2.2", 100, "network"],
    [www, 200, "2001:db8::1", 300, "network"],
  ]);
  assert.deepEqual(page.hops.map((hop) => hop.headers.length), [1, 1, 2]);
});

test("a redirect that the browser makes for HSTS is told apart from the server's", () => {
  const plain = "http://shop.example/";
  const by = [["Location", SITE], ["Non-Authoritative-Reason", "HSTS"]];
  const page = shown([
    { kind: "request", id: "1", tab: 7, time: 1000, url: plain },
    { kind: "redirect", id: "1", tab: 7, time: 1000, url: plain, to: SITE, status: 307, headers: by, cached: false },
    { kind: "request", id: "1", tab: 7, time: 1001, url: SITE },
    { kind: "started", id: "1", tab: 7, time: 1002, url: SITE, status: 200, headers: [], cached: false },
    commit(SITE),
  ]);
  assert.deepEqual(page.hops.map((hop) => hop.from), ["browser", "network"]);
});

test("a copy from the browser's cache is told as such", () => {
  assert.equal(shown(load(SITE, { cached: true })).hops[0].from, "cache");
});

test("a page from its service worker has no headers, and not those of the page before", () => {
  const page = shown([...load(SITE), began(OTHER), commit(OTHER)]);
  assert.equal(page.url, OTHER);
  assert.equal(page.seen, false);
  assert.equal(page.why, "service worker");
  assert.deepEqual(page.hops, []);
});

test("a page from the back/forward cache has no headers, even where the same address is prerendered", () => {
  const prerendered = load(OTHER, { id: "9", time: 3000 }).filter((event) => event.kind !== "began" && event.kind !== "committed");
  const page = shown([...load(SITE), ...prerendered, began(OTHER), commit(OTHER, { qualifiers: ["forward_back"] })]);
  assert.equal(page.seen, false);
  assert.equal(page.why, "back/forward cache");
  assert.deepEqual(page.hops, []);
});

test("going back to a page that is asked for again shows what came", () => {
  const again = load(SITE, { id: "3", time: 4000, headers: [["x-of", "again"]] });
  again[4].qualifiers = ["forward_back"];
  const page = shown([...load(SITE), ...load(OTHER, { id: "2", time: 2000 }), ...again]);
  assert.deepEqual(header(page), [["x-of", "again"]]);
});

test("history.pushState and fragments keep the page and say where it is now", () => {
  const page = shown([...load(SITE), { kind: "moved", tab: 7, frame: 0, time: 3000, url: `${SITE}cart` }]);
  assert.deepEqual([page.url, page.at, page.seen], [SITE, `${SITE}cart`, true]);
  assert.deepEqual(header(page), [["x-of", SITE]]);
});

test("what is prerendered does not count until it is shown", () => {
  const prerendered = load(OTHER, { id: "9", time: 2000 }).filter((event) => event.kind !== "began" && event.kind !== "committed");
  const state = fold([...load(SITE), ...prerendered, { ...commit(OTHER), lifecycle: "prerender" }]);
  assert.equal(pageOf(state, 7).url, SITE);
  const page = shown([began(OTHER), commit(OTHER)], state);
  assert.deepEqual([page.url, page.seen], [OTHER, true]);
  assert.deepEqual(header(page), [["x-of", OTHER]]);
});

test("what was prerendered on a page that is left is forgotten with it", () => {
  const prerendered = load(OTHER, { id: "9", time: 2000 }).filter((event) => event.kind !== "began" && event.kind !== "committed");
  const third = load("https://third.example/", { id: "10", time: 3000 });
  const page = shown([...load(SITE), ...prerendered, ...third, began(OTHER), commit(OTHER)]);
  assert.equal(page.seen, false);
});

test("a download or an empty answer leaves the page, and is not shown for a later page of that address", () => {
  const [start, asked, headers, started] = load(OTHER, { id: "2", time: 2000, status: 204 });
  const ended = { kind: "unreached", tab: 7, frame: 0, time: 2100, url: OTHER, error: "net::ERR_ABORTED" };
  const state = fold([...load(SITE), start, asked, headers, started, ended]);
  assert.equal(pageOf(state, 7).url, SITE);
  assert.equal(shown([began(OTHER), commit(OTHER)], state).seen, false);
});

test("a page that is loaded again before all of it was there is the new one", () => {
  const [first, again] = [load(SITE), load(SITE, { id: "2", time: 2000, headers: [["x-of", "again"]] })];
  first[4].document = "D1";
  const stopped = { kind: "unreached", tab: 7, frame: 0, time: 2045, url: SITE, document: "D1", error: "net::ERR_ABORTED" };
  const page = shown([...first, ...again.slice(0, 4), stopped, { ...again[4], document: "D2" }, again[5]]);
  assert.deepEqual([page.seen, header(page)], [true, [["x-of", "again"]]]);
});

test("a page that breaks off keeps its headers, and says so", () => {
  const events = load(SITE).slice(0, 5);
  events[4].document = "D1";
  const broken = { kind: "unreached", tab: 7, frame: 0, time: 1100, url: SITE, document: "D1", error: "net::ERR_CONNECTION_RESET" };
  const page = shown([...events, broken]);
  assert.deepEqual([page.seen, header(page), page.error], [true, [["x-of", SITE]], "net::ERR_CONNECTION_RESET"]);
});

test("a request that was given up leaves the page", () => {
  const [start, asked] = load(OTHER, { id: "2", time: 2000 });
  const state = fold([...load(SITE), start, asked, { kind: "failed", id: "2", tab: 7, time: 2100, url: OTHER, error: "net::ERR_ABORTED" }]);
  assert.equal(pageOf(state, 7).url, SITE);
  assert.deepEqual(state.tabs[7].pending, []);
});

test("where no server answered, the redirects before are shown with the browser's error", () => {
  const page = shown([
    began(SITE, 999),
    { kind: "request", id: "1", tab: 7, time: 1000, url: SITE },
    { kind: "redirect", id: "1", tab: 7, time: 1010, url: SITE, to: OTHER, status: 301, headers: [["location", OTHER]], cached: false, ip: "192.0.2.1" },
    { kind: "request", id: "1", tab: 7, time: 1011, url: OTHER },
    { kind: "failed", id: "1", tab: 7, time: 1020, url: OTHER, error: "net::ERR_NAME_NOT_RESOLVED" },
    { kind: "unreached", tab: 7, frame: 0, time: 1021, url: OTHER, error: "net::ERR_NAME_NOT_RESOLVED" },
  ]);
  assert.deepEqual([page.url, page.seen, page.why, page.error], [OTHER, false, "failed", "net::ERR_NAME_NOT_RESOLVED"]);
  assert.deepEqual(page.hops.map((hop) => [hop.url, hop.status]), [[SITE, 301]]);
});

test("an empty answer with status 500, for which Chrome shows its own page, is shown with its headers", () => {
  const events = load(SITE, { status: 500 }).filter((event) => event.kind !== "committed");
  const page = shown([...events, { kind: "unreached", tab: 7, frame: 0, time: 1100, url: SITE, error: "net::ERR_HTTP_RESPONSE_CODE_FAILURE" }]);
  assert.deepEqual([page.seen, page.hops[0].status, page.error], [true, 500, "net::ERR_HTTP_RESPONSE_CODE_FAILURE"]);
});

test("an answer that breaks off after its headers is shown with the error", () => {
  const events = load(SITE).filter((event) => event.kind !== "completed");
  const page = shown([...events, { kind: "failed", id: "1", tab: 7, time: 1100, url: SITE, error: "net::ERR_CONTENT_LENGTH_MISMATCH" }]);
  assert.deepEqual([page.seen, page.error], [true, "net::ERR_CONTENT_LENGTH_MISMATCH"]);
});

test("a page that the companion may not see is told as such, with the redirects that it may see", () => {
  const page = shown([
    { kind: "request", id: "1", tab: 7, time: 1000, url: SITE },
    { kind: "redirect", id: "1", tab: 7, time: 1010, url: SITE, to: OTHER, status: 301, headers: [], cached: false },
    commit(OTHER, { allowed: false }),
  ]);
  assert.deepEqual([page.seen, page.why, page.hops.length], [false, "not permitted", 1]);
  assert.equal(shown([commit("chrome://newtab/")]).why, "not from the web");
});

test("frames, other tabs and late answers to a request for another address change nothing", () => {
  const state = fold(load(SITE));
  assert.equal(pages(state, commit(OTHER, { frame: 3 })), state);
  assert.equal(pages(state, { kind: "headers", id: "8", tab: 7, time: 3000, url: SITE, status: 200, headers: [] }), state);
  assert.equal(pages(state, { kind: "request", id: "8", tab: -1, time: 3000, url: SITE }), state);
  const late = pages(state, { kind: "headers", id: "1", tab: 7, time: 3000, url: OTHER, status: 200, headers: [["x-of", OTHER]] });
  assert.deepEqual(header(pageOf(late, 7)), [["x-of", SITE]]);
  assert.deepEqual(header(pageOf(fold(load(OTHER, { id: "2", tab: 8, time: 2000 }), state), 7)), [["x-of", SITE]]);
});

test("a discarded tab keeps its page under its new id, also what is pending", () => {
  const state = fold([...load(SITE), ...load(OTHER, { id: "2", time: 2000 }).slice(0, 4), { kind: "replaced", tab: 70, was: 7 }]);
  assert.equal(pageOf(state, 7), undefined);
  assert.deepEqual(header(pageOf(state, 70)), [["x-of", SITE]]);
  assert.equal(pageOf(pages(state, { ...commit(OTHER), tab: 70 }), 70).seen, true);
});

test("a closed tab is forgotten, and so are those that are not open when the worker starts", () => {
  const state = fold([...load(SITE), ...load(OTHER, { id: "2", tab: 8, time: 2000 })]);
  assert.deepEqual(Object.keys(pages(state, { kind: "removed", tab: 7 }).tabs), ["8"]);
  assert.deepEqual(Object.keys(pages(state, { kind: "open", tabs: [7, 9] }).tabs), ["7"]);
});

test("the load before of the same address is kept for comparing, also over other pages and unseen ones", () => {
  const again = load(SITE, { id: "3", time: 4000, headers: [["x-of", "again"]] });
  const state = fold([...load(SITE), ...load(OTHER, { id: "2", time: 2000 }), began(SITE), commit(SITE), ...again]);
  assert.deepEqual(header(loadBefore(state, 7)), [["x-of", SITE]]);
  assert.deepEqual(header(pageOf(state, 7)), [["x-of", "again"]]);
  assert.equal(loadBefore(fold(load(SITE)), 7), undefined);
});

test("what is pending for more than five minutes is dropped, whichever tab an event is of", () => {
  const asked = load(OTHER, { id: "2", time: 2000 }).slice(0, 4);
  const late = { kind: "request", id: "5", tab: 9, time: 2041 + MOST.age + 1, url: SITE };
  const state = fold([...load(SITE), ...asked, late]);
  assert.deepEqual(state.tabs[7].pending, []);
  assert.equal(shown([commit(OTHER, { time: late.time + 5 })], state).seen, false);
});

test("a page that asks for many others keeps few of them pending", () => {
  const many = Array.from({ length: 50 }, (_, at) => ({ kind: "request", id: `p${at}`, tab: 7, time: 2000 + at, url: `${SITE}${at}` }));
  const state = fold([...load(SITE), ...many]);
  assert.deepEqual(state.tabs[7].pending.map((chain) => chain.id), many.slice(-MOST.pending).map((event) => event.id));
});

test("headers larger than is kept are left out, and counted", () => {
  const headers = Array.from({ length: 40 }, (_, at) => [`x-${at}`, "y".repeat(4000)]);
  const [hop] = shown(load(SITE, { headers })).hops;
  assert.ok(hop.headers.length > 0 && hop.headers.length < 40);
  assert.equal(hop.headers.length + hop.left, 40);
});

test("a chain of redirects that does not end keeps its last hops", () => {
  const turns = Array.from({ length: 100 }, (_, at) => [
    { kind: "request", id: "1", tab: 7, time: at, url: `${SITE}${at}` },
    { kind: "redirect", id: "1", tab: 7, time: at, url: `${SITE}${at}`, to: `${SITE}${at + 1}`, status: 302, headers: [["x", "y".repeat(20_000)], ["z", "1"]] },
  ]);
  const [chain] = fold(turns.flat()).tabs[7].pending;
  assert.deepEqual([chain.hops.length, chain.hops.at(-1).url], [MOST.hops, `${SITE}100`]);
  assert.deepEqual(chain.hops.slice(0, -1).map((hop) => [hop.headers.length, hop.left]), Array.from({ length: MOST.hops - 1 }, () => [0, 2]));
});

test("of more tabs than are kept, those of which nothing was told for longest go first", () => {
  const many = Array.from({ length: MOST.tabs + 5 }, (_, at) => ({ ...commit(SITE), tab: at + 1, time: at }));
  const state = fold(many);
  assert.equal(Object.keys(state.tabs).length, MOST.tabs);
  assert.deepEqual([pageOf(state, 5), pageOf(state, 6)?.url], [undefined, SITE]);
});

test("addresses too long to keep are never taken for one another", () => {
  const long = `${SITE}?${"a".repeat(MOST.url)}`;
  assert.equal(shown([...load(long).slice(0, 4), commit(`${long}b`)]).seen, false);
  const whole = long.slice(0, MOST.url);
  assert.equal(loadBefore(fold([...load(whole), began(long), commit(long)]), 7), undefined);
  assert.ok(JSON.stringify(shown([commit(long.repeat(50))])).length < 3 * MOST.url);
});

test("what Chrome gives to listeners is read: only pages of tabs, and values that are no UTF-8", () => {
  const details = {
    requestId: "12", tabId: 7, type: "main_frame", url: SITE, timeStamp: 1.5, statusCode: 200, fromCache: true,
    responseHeaders: [{ name: "A", value: "b" }, { name: "C", binaryValue: new Uint8Array([233, 116]) }, { name: "D" }],
  };
  assert.deepEqual(ofRequest("started", details), {
    kind: "started", id: "12", tab: 7, time: 1.5, url: SITE, to: undefined, status: 200, ip: undefined, cached: true, error: undefined,
    headers: [["A", "b"], ["C", "ét"], ["D", ""]],
  });
  assert.equal(ofRequest("request", { ...details, type: "sub_frame" }), undefined);
  assert.equal(ofRequest("request", { ...details, tabId: -1 }), undefined);
  const page = ofPage("committed", { tabId: 7, frameId: 0, url: SITE, timeStamp: 2, documentId: "D1", documentLifecycle: "active", transitionQualifiers: ["forward_back"] }, false);
  assert.deepEqual(page, {
    kind: "committed", tab: 7, frame: 0, time: 2, url: SITE, document: "D1", lifecycle: "active", qualifiers: ["forward_back"], error: undefined, allowed: false,
  });
});

test("many small headers, and letters of several bytes, take no more room than large ones: notes share it", () => {
  const small = Array.from({ length: 50_000 }, (_, at) => [`${at % 10}`, ""]);
  const [hop] = shown(load(SITE, { headers: small })).hops;
  assert.ok(hop.headers.length <= 2000, `${hop.headers.length}`);
  assert.equal(hop.headers.length + hop.left, 50_000);
  const wide = shown(load(SITE, { headers: Array.from({ length: 40 }, () => ["x", "\u6f22".repeat(4000)]) })).hops[0];
  assert.ok(new TextEncoder().encode(JSON.stringify(wide)).length <= 1.1 * MOST.text, "counted in bytes");
  const state = fold(load(SITE, { headers: [["x", "\u6f22".repeat(4000)]] }));
  assert.ok(state.tabs[7].size >= 12_000, "and so are tabs");
});
