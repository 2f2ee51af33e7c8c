/** Many browsing histories that nobody thought of: what is shown is what truly came, and what is kept is bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, NOTHING, pageOf, pages } from "../lib/chain.js";
import { seeded } from "./seeded.js";

const URLS = ["https://a.example/", "https://a.example/two", "https://b.example/?q=1", "http://a.example/"];
const KINDS = ["request", "redirect", "headers", "started", "completed", "failed", "began", "committed", "unreached", "moved"];

/** A tab as a person uses it, with what it truly shows: `truth` is the number of the response, 0 where there was none. */
class Browsing {
  constructor(random, tab, number) {
    Object.assign(this, { random, tab, number, truth: undefined, url: "", prerendered: new Map() });
  }

  /** The events of one thing that a person or a page does; the last of them may say what is shown then. */
  act() {
    const url = this.random.one(URLS);
    const acts = [
      () => this.load(url), () => this.load(url), () => this.load(url, this.random.one(URLS)), () => this.unasked(url, []),
      () => this.unasked(url, ["forward_back"]), () => this.load(url, undefined, ["forward_back"]), () => this.prerender(url),
      () => this.activate(), () => this.download(url), () => this.failing(url), () => this.givenUp(url), () => this.pushed(),
    ];
    return this.random.one(acts)();
  }

  response(url, id, to, status = to ? 302 : 200) {
    const number = this.number();
    const told = { id, tab: this.tab, url, status, headers: [["x-number", `${number}`]] };
    const last = to ? { ...told, kind: "redirect", to } : { ...told, kind: "started", cached: false };
    return { number, events: [{ id, tab: this.tab, url, kind: "request" }, { ...told, kind: "headers" }, last] };
  }

  load(url, to, qualifiers = []) {
    const id = `${this.number()}`;
    const first = to && to !== url ? this.response(url, id, to).events : [];
    const last = this.response(first.length ? to : url, id);
    const done = [{ id, tab: this.tab, url: last.events[0].url, kind: "completed", status: 200 }];
    return [this.page("began", url), ...first, ...last.events, this.shows(last.events[0].url, last.number, qualifiers), ...(this.random.chance(80) ? done : [])];
  }

  /** From the service worker or the back/forward cache; what is prerendered is shown instead, unless by going back. */
  unasked(url, qualifiers) {
    if (this.prerendered.has(url) && !qualifiers.length) return this.activate(url);
    return [this.page("began", url), this.shows(url, 0, qualifiers)];
  }

  prerender(url) {
    if (!this.url || this.prerendered.size > 2) return [];
    const { number, events } = this.response(url, `${this.number()}`);
    return events.map((event, at) => (at === 2 ? { ...event, then: () => this.prerendered.set(url, number) } : event));
  }

  activate(url = [...this.prerendered.keys()][0]) {
    if (!url) return [];
    const number = this.prerendered.get(url);
    return [this.page("began", url), this.shows(url, number, [])];
  }

  download(url) {
    const { events } = this.response(url, `${this.number()}`, undefined, this.random.one([200, 204]));
    return [this.page("began", url), ...events, { ...this.page("unreached", url), error: "net::ERR_ABORTED" }];
  }

  failing(url) {
    const id = `${this.number()}`;
    const error = "net::ERR_CONNECTION_REFUSED";
    const shows = { ...this.shows(url, 0, []), kind: "unreached", error };
    return [this.page("began", url), { id, tab: this.tab, url, kind: "request" }, { id, tab: this.tab, url, kind: "failed", error }, shows];
  }

  givenUp(url) {
    const id = `${this.number()}`;
    const error = "net::ERR_ABORTED";
    const gone = [{ id, tab: this.tab, url, kind: "failed", error }, { ...this.page("unreached", url), error }];
    return [this.page("began", url), { id, tab: this.tab, url, kind: "request" }, ...(this.random.chance(50) ? gone : gone.reverse())];
  }

  pushed() {
    return this.url ? [this.page("moved", `${this.url}#pushed`)] : [];
  }

  page(kind, url) {
    return { kind, tab: this.tab, frame: 0, url: this.random.chance(20) ? `${url}#part` : url, lifecycle: "active" };
  }

  shows(url, number, qualifiers) {
    const then = () => Object.assign(this, { url, truth: number, prerendered: new Map() });
    return { ...this.page("committed", url), qualifiers, then };
  }
}

/** Lists of events as one, each in its own order. */
function merged(random, lists) {
  const left = lists.map((list) => [...list]);
  const all = [];
  for (let some = left.filter((list) => list.length); some.length; some = left.filter((list) => list.length)) all.push(random.one(some).shift());
  return all;
}

function check(state, browsing, seed) {
  const page = pageOf(state, browsing.tab);
  if (browsing.truth === undefined) return assert.equal(page, undefined, `seed ${seed}`);
  assert.equal(page.seen, browsing.truth !== 0, `seed ${seed}: ${JSON.stringify(page)}`);
  assert.equal(page.url.replace("#part", ""), browsing.url, `seed ${seed}`);
  if (page.seen) assert.deepEqual(page.hops.at(-1).headers, [["x-number", `${browsing.truth}`]], `seed ${seed}`);
}

test("in 600 histories of three tabs, each tab always shows the headers of what brought its page, or none", () => {
  let checks = 0;
  for (let seed = 1; seed <= 600; seed++) {
    const random = seeded(seed);
    let count = 0;
    const tabs = [1, 2, 3].map((tab) => new Browsing(random, tab, () => ++count));
    let state = NOTHING;
    for (let round = 0; round < 12; round++) {
      let time = seed * 1e6 + round * 1000;
      for (const { then, ...event } of merged(random, tabs.map((tab) => tab.act()))) {
        state = pages(state, { ...event, time: time++ });
        then?.();
        if (random.chance(10)) state = JSON.parse(JSON.stringify(state));
        for (const tab of tabs) check(state, tab, seed);
        checks += 3;
      }
    }
  }
  assert.ok(checks > 50_000);
});

/** Any event, about few tabs, requests and addresses, so that they meet. */
function anything(random, time) {
  const [tab, id, url] = [random.below(2), `${random.below(4)}`, random.one(URLS.slice(0, 3))];
  if (random.chance(1)) return { kind: "removed", tab };
  if (random.chance(1)) return { kind: "replaced", tab, was: random.below(2) };
  const told = { headers: [["x-id", id], ["x-url", url]], status: random.one([200, 301, 404, 500]), cached: random.one([true, false, undefined]) };
  const kind = random.one(KINDS);
  const error = random.one(["net::ERR_ABORTED", "net::ERR_FAILED"]);
  const page = { frame: random.chance(10) ? 4 : 0, lifecycle: random.chance(10) ? "prerender" : "active", qualifiers: random.one([[], ["forward_back"]]) };
  if (["began", "committed", "unreached", "moved"].includes(kind)) return { kind, tab, url, time, error, ...page };
  return { kind, tab, id, url, time, to: random.one(URLS.slice(0, 3)), error, ...(kind === "request" || kind === "failed" ? {} : told) };
}

function noneOfAnother(state, seed) {
  for (const { page, earlier, pending } of Object.values(state.tabs)) {
    for (const shown of [page, ...earlier]) {
      if (!shown) continue;
      if (shown.seen) assert.equal(shown.hops.at(-1).url, shown.url, `seed ${seed}`);
      for (const hop of shown.hops) {
        const told = new Map(hop.headers);
        if (told.size) assert.equal(told.get("x-url"), hop.url, `seed ${seed}`);
        if (told.size && shown.seen) assert.equal(told.get("x-id"), shown.id, `seed ${seed}`);
      }
    }
    assert.ok(pending.length <= MOST.pending && pending.every((chain) => chain.hops.length <= MOST.hops), `seed ${seed}`);
    assert.ok((page?.hops.length ?? 0) <= MOST.hops && earlier.length <= MOST.earlier, `seed ${seed}`);
  }
}

test("in any order of events no page has headers of another address or request, and what is kept stays bounded", () => {
  let seen = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    let state = NOTHING;
    for (let at = 0; at < 250; at++) {
      state = pages(state, anything(random, 1000 * at));
      noneOfAnother(state, seed);
      seen += Object.values(state.tabs).filter((tab) => tab.page?.seen).length;
    }
  }
  assert.ok(seen > 1_500, `only ${seen} pages were seen`);
});

test("a true history told in any order never shows another response's headers for an address", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    let count = 0;
    const tab = new Browsing(random, 1, () => ++count);
    const of = new Map();
    const events = Array.from({ length: 10 }, () => tab.act()).flat();
    for (const event of events) if (event.headers) of.set(event.headers[0][1], `${event.id} ${event.url}`);
    let state = NOTHING;
    for (const [at, { then: _, ...event }] of random.shuffled(events).entries()) {
      state = pages(state, { ...event, time: at });
      const page = pageOf(state, 1);
      if (!page?.seen) continue;
      const last = page.hops.at(-1);
      assert.equal(of.get(last.headers[0]?.[1]) ?? `${page.id} ${last.url}`, `${page.id} ${page.url.replace(/#.*/, "")}`, `seed ${seed}`);
    }
  }
});

test("hundreds of tabs with enormous headers stay within what the browser lets an extension keep", () => {
  let state = NOTHING;
  for (let tab = 1; tab <= 900; tab++) {
    const [id, url] = [`${tab}`, `https://${tab}.example/`];
    const headers = Array.from({ length: 20 }, (_, at) => [`x-${at}`, "y".repeat(3000 * (tab % 3))]);
    state = pages(state, { kind: "request", id, tab, url, time: tab });
    state = pages(state, { kind: "started", id, tab, url, time: tab, status: 200, headers });
    state = pages(state, { kind: "committed", tab, frame: 0, url, time: tab });
    assert.equal(pageOf(state, tab).seen, true);
    assert.ok(Object.keys(state.tabs).length <= MOST.tabs);
    if (tab % 50 === 0) assert.ok(JSON.stringify(state).length <= MOST.all * 1.01 + 50_000);
  }
});
