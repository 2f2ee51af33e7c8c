// @ts-check
/**
 * Which responses brought the page that a tab shows. Pure: `pages` folds what Chrome tells (events.js) into a state that
 * is plain JSON, so it outlives the worker.
 *
 * A request stays pending until its page is committed: a tab may ask for pages that nobody ever sees (prerendered,
 * downloaded, given up), and shows pages that nobody asked for (service worker, back/forward cache). Tabs that an event
 * does not change keep their identity: only those that differ need to be stored.
 */

/** @typedef {import("./events.js").Event} Event */
/** @typedef {import("./events.js").RequestEvent} RequestEvent */
/** @typedef {import("./events.js").PageEvent} PageEvent */
/** @typedef {import("./events.js").Header} Header */

/**
 * One request and its answer.
 * @typedef {object} Hop
 * @property {string} url
 * @property {number} status      0 until it was answered
 * @property {string} ip          empty where none was told: a cache, a proxy
 * @property {Header[]} headers   in the order and spelling of the answer
 * @property {number} left        how many headers were left out, for their size
 * @property {number} asked       when
 * @property {number} ms          from asking to the headers
 * @property {"network"|"cache"|"browser"} from   `browser`: a redirect that the browser made itself (HSTS)
 */

/**
 * @typedef {object} Chain
 * @property {string} id
 * @property {Hop[]} hops
 * @property {boolean} earlier   a later navigation began meanwhile: it is a prerendered page or was given up
 * @property {number} time       of the last event
 * @property {number} ms         until all of it was there; 0 before
 * @property {string} error
 */

/**
 * Why no response was seen.
 * @typedef {""|"service worker"|"back/forward cache"|"not permitted"|"not from the web"|"failed"} Why
 */

/**
 * What a tab shows.
 * @typedef {object} Page
 * @property {string} id      of its request; empty where none was seen
 * @property {string} url     as it was loaded
 * @property {string} at      as it stands now: history.pushState and fragments change it
 * @property {number} time    of its commit
 * @property {Hop[]} hops     the last is the page's own, if it was seen; those before are redirects
 * @property {boolean} seen
 * @property {Why} why
 * @property {string} error   the browser's word for what broke off, such as `net::ERR_CONNECTION_RESET`
 * @property {number} ms      from asking for the last hop until all of it was there; 0 before
 * @property {string} [document]   which the browser counts it as
 */

/**
 * @typedef {object} Tab
 * @property {Page | null} page
 * @property {Page[]} earlier    pages shown before, one an address, the latest first
 * @property {Chain[]} pending   in the order of asking
 * @property {number} time       of the last event
 * @property {number} size       how many bytes all of it takes, about
 */

/** @typedef {{tabs: Record<string, Tab>}} State */

/** The most that is kept: milliseconds for `age`; bytes for `text` (one answer's headers), `redirect` and `all`; characters for `url`. */
export const MOST = { age: 5 * 60_000, pending: 8, hops: 30, earlier: 4, tabs: 400, text: 65_536, redirect: 8_192, url: 8_192, all: 4_000_000 };
/** What the browser takes for a header besides its letters, in bytes: whoever sends many short ones gets no more room. */
const EACH = 64;
const GIVEN_UP = "net::ERR_ABORTED";
/** @type {Tab} */
const NEW = { page: null, earlier: [], pending: [], time: 0, size: 0 };

/** @type {State} */
export const NOTHING = { tabs: {} };

/**
 * The state after an event.
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function pages(state, event) {
  if (event.kind === "open") return picked(state, (_, id) => event.tabs.includes(id));
  if (event.tab < 0) return state;
  if (event.kind === "removed") return picked(state, (_, id) => id !== event.tab);
  if (event.kind === "replaced") return replaced(state, event.tab, event.was);
  const was = state.tabs[event.tab] ?? NEW;
  const tab = after(was, event);
  const next = tab === was ? state : { tabs: { ...state.tabs, [event.tab]: { ...tab, time: event.time, size: bytes(JSON.stringify(tab)) } } };
  return bounded(aged(next, event.time));
}

/**
 * What a tab shows; undefined where nothing was told of it yet: the page was there before the companion.
 * @param {State} state
 * @param {number} tab
 */
export function pageOf(state, tab) {
  return state.tabs[tab]?.page ?? undefined;
}

/**
 * The load of the same address before the one that a tab shows.
 * @param {State} state
 * @param {number} tab
 */
export function loadBefore(state, tab) {
  const page = pageOf(state, tab);
  return page && state.tabs[tab].earlier.find((each) => same(each.url, page.url));
}

/**
 * @param {Tab} tab
 * @param {RequestEvent | PageEvent} event
 * @returns {Tab}
 */
function after(tab, event) {
  if ("frame" in event && (event.frame !== 0 || (event.lifecycle ?? "active") !== "active")) return tab;
  switch (event.kind) {
    case "request": return asked(tab, event);
    case "redirect": return withRequest(tab, event, (chain) => redirected(chain, event));
    case "headers": return withRequest(tab, event, (chain) => answered(chain, event));
    case "started": return withRequest(tab, event, (chain) => answered(chain, event));
    case "completed": return withRequest(tab, event, (chain) => ({ ...answered(chain, event), ms: since(chain, event.time) }));
    case "failed": return failed(tab, event);
    case "began": return { ...tab, pending: tab.pending.map((chain) => ({ ...chain, earlier: true })) };
    case "committed": return committed(tab, event);
    case "unreached": return unreached(tab, event);
    case "moved": return tab.page ? { ...tab, page: { ...tab.page, at: written(event.url) } } : tab;
  }
}

// ---- requests

/**
 * @param {Tab} tab
 * @param {RequestEvent} event
 */
function asked(tab, event) {
  const next = hop(event.url, event.time);
  if (tab.pending.some((chain) => chain.id === event.id)) {
    return withRequest(tab, event, (chain) => {
      const done = chain.hops.at(-1)?.status ? chain.hops : chain.hops.slice(0, -1);
      return { ...chain, hops: [...done, next].slice(-MOST.hops) };
    });
  }
  const chain = { id: event.id, hops: [next], earlier: false, time: event.time, ms: 0, error: "" };
  return { ...tab, pending: [...tab.pending, chain].slice(-MOST.pending) };
}

/**
 * The tab with the pending chain or the page of that request changed; as it was where there is none.
 * @param {Tab} tab
 * @param {RequestEvent} event
 * @param {(chain: Chain) => Chain} change
 * @returns {Tab}
 */
function withRequest(tab, event, change) {
  if (tab.pending.some((chain) => chain.id === event.id)) {
    return { ...tab, pending: tab.pending.map((chain) => (chain.id === event.id ? { ...change(chain), time: event.time } : chain)) };
  }
  if (!tab.page || tab.page.id !== event.id || event.kind === "redirect") return tab;
  const { hops, ms, error } = change({ ...tab.page, earlier: false });
  return { ...tab, page: { ...tab.page, hops, ms, error } };
}

/**
 * @param {Chain} chain
 * @param {RequestEvent} event
 */
function redirected(chain, event) {
  const told = answered(chain, event);
  if (told === chain) return chain;
  const last = told.hops[told.hops.length - 1];
  const { headers, left } = fitting(last.headers, MOST.redirect);
  const short = { ...last, headers, left: last.left + left };
  return { ...told, hops: [...chain.hops.slice(0, -1), short, hop(event.to ?? "", event.time)].slice(-MOST.hops) };
}

/**
 * The chain with what an event tells of its last hop; as it was if the event is of another address.
 * @param {Chain} chain
 * @param {RequestEvent} event
 * @returns {Chain}
 */
function answered(chain, event) {
  const last = chain.hops.at(-1);
  if (!last || !same(last.url, event.url)) return chain;
  const kept = event.headers ? fitting(event.headers, MOST.text) : { headers: last.headers, left: last.left };
  const told = { ...last, ...kept, status: event.status || last.status, ip: event.ip ?? last.ip };
  told.ms = last.status ? last.ms : since(chain, event.time);
  if (told.headers.some(([name]) => name.toLowerCase() === "non-authoritative-reason")) told.from = "browser";
  else if (event.cached !== undefined) told.from = event.cached ? "cache" : "network";
  return { ...chain, hops: [...chain.hops.slice(0, -1), told] };
}

/**
 * @param {Tab} tab
 * @param {RequestEvent} event
 */
function failed(tab, event) {
  const error = event.error ?? "";
  const pending = tab.pending.filter((chain) => chain.id !== event.id);
  if (error === GIVEN_UP && pending.length < tab.pending.length) return { ...tab, pending };
  return withRequest(tab, event, (chain) => ({ ...chain, error }));
}

// ---- pages

/**
 * @param {Tab} tab
 * @param {PageEvent} event
 */
function committed(tab, event) {
  const back = event.qualifiers?.includes("forward_back") ?? false;
  const chain = broughtBy(tab.pending, event.url, back);
  return shown(tab, event, chain, back ? "back/forward cache" : "service worker");
}

/**
 * The browser gave up: it shows its own page then, or what it had before. Or the page that it shows broke off, also because
 * the same address was asked for again: then what is pending goes on.
 * @param {Tab} tab
 * @param {PageEvent} event
 * @returns {Tab}
 */
function unreached(tab, event) {
  if (tab.page && event.document && event.document === tab.page.document) {
    return event.error === GIVEN_UP ? tab : { ...tab, page: { ...tab.page, error: event.error ?? "" } };
  }
  if (event.error === GIVEN_UP) {
    return { ...tab, pending: tab.pending.filter((chain) => chain.earlier || !isAnswered(chain) || !leadsTo(chain, event.url)) };
  }
  const next = shown(tab, event, broughtBy(tab.pending, event.url, true), "failed");
  return { ...next, page: next.page && { ...next.page, error: event.error || next.page.error } };
}

/**
 * The pending chain that brought a page: one of this navigation, else one that was prerendered.
 * @param {Chain[]} pending
 * @param {string} url
 * @param {boolean} own   only of this navigation: no prerendered page is shown by going back
 */
function broughtBy(pending, url, own) {
  const fits = pending.filter((chain) => leadsTo(chain, url));
  const ours = fits.filter((chain) => !chain.earlier);
  return ours.filter(isAnswered).at(-1) ?? ours.at(-1) ?? (own ? undefined : fits.filter(isAnswered).at(-1));
}

/**
 * The tab with another page; chains that can bring none any more are forgotten.
 * @param {Tab} tab
 * @param {PageEvent} event
 * @param {Chain | undefined} chain
 * @param {Why} unseen   why, if no response was seen
 * @returns {Tab}
 */
function shown(tab, event, chain, unseen) {
  const seen = chain !== undefined && isAnswered(chain);
  const url = written(event.url);
  const why = seen ? "" : event.allowed === false ? "not permitted" : /^https?:/iu.test(url) ? unseen : "not from the web";
  const hops = seen ? chain.hops : (chain?.hops.slice(0, -1) ?? []);
  const page = { id: seen ? chain.id : "", url, at: url, time: event.time, hops, seen, why, error: chain?.error ?? "", ms: seen ? chain.ms : 0, document: event.document };
  const at = chain ? tab.pending.indexOf(chain) : -1;
  const pending = tab.pending.filter((each, place) => each !== chain && !(isAnswered(each) && (each.earlier || place < at)));
  return { ...tab, page, pending, earlier: remembered(tab) };
}

/** @param {Tab} tab */
function remembered({ page, earlier }) {
  if (!page?.seen) return earlier;
  return [page, ...earlier.filter((each) => !same(each.url, page.url))].slice(0, MOST.earlier);
}

/** @param {Chain} chain */
function isAnswered(chain) {
  return (chain.hops.at(-1)?.status ?? 0) > 0;
}

/**
 * @param {Chain} chain
 * @param {string} url
 */
function leadsTo(chain, url) {
  return same(chain.hops.at(-1)?.url ?? "", url);
}

/**
 * Whether both are one address to a server: fragments are never sent.
 * @param {string} one
 * @param {string} other
 */
function same(one, other) {
  const [left, right] = [one, other].map((url) => url.replace(/#.*/su, ""));
  return left !== "" && left === right;
}

/**
 * An address as it is kept: one that is too long is like no other, so nothing is ever shown for it.
 * @param {string} url
 */
function written(url) {
  return url.length > MOST.url ? `${url.slice(0, MOST.url)}…` : url;
}

// ---- tabs, and how much is kept

/**
 * Another tab's state, under the id that it has now.
 * @param {State} state
 * @param {number} tab
 * @param {number} was
 */
function replaced(state, tab, was) {
  if (!state.tabs[was] || tab === was) return state;
  const { tabs } = picked(state, (_, id) => id !== was);
  return { tabs: { ...tabs, [tab]: tabs[tab]?.page ? tabs[tab] : state.tabs[was] } };
}

/**
 * @param {State} state
 * @param {(tab: Tab, id: number) => boolean} wanted
 * @returns {State}
 */
function picked(state, wanted) {
  const all = Object.entries(state.tabs);
  const kept = all.filter(([id, tab]) => wanted(tab, Number(id)));
  return kept.length === all.length ? state : { tabs: Object.fromEntries(kept) };
}

/**
 * Without what is pending too long, and without tabs of which nothing is left.
 * @param {State} state
 * @param {number} now
 */
function aged(state, now) {
  let next = state;
  for (const [id, tab] of Object.entries(state.tabs)) {
    const pending = tab.pending.filter((chain) => now - chain.time <= MOST.age);
    if (pending.length < tab.pending.length) next = { tabs: { ...next.tabs, [id]: { ...tab, pending } } };
  }
  return picked(next, (tab) => tab.page !== null || tab.pending.length > 0);
}

/**
 * Without the tabs of which nothing was told for longest, where there are too many or they hold too much.
 * @param {State} state
 */
function bounded(state) {
  const latest = Object.entries(state.tabs).sort(([, one], [, other]) => other.time - one.time);
  let size = 0;
  const kept = latest.filter(([, tab], place) => (size += tab.size) <= MOST.all && place < MOST.tabs).map(([id]) => Number(id));
  return kept.length === latest.length ? state : picked(state, (_, id) => kept.includes(id));
}

/**
 * @param {string} url
 * @param {number} asked
 * @returns {Hop}
 */
function hop(url, asked) {
  return { url: written(url), status: 0, ip: "", headers: [], left: 0, asked, ms: 0, from: "network" };
}

/**
 * Milliseconds since the last hop of a chain was asked for.
 * @param {Chain} chain
 * @param {number} now
 */
function since(chain, now) {
  return Math.max(0, Math.round(now - (chain.hops.at(-1)?.asked ?? now)));
}

/**
 * As many of the headers as are kept.
 * @param {Header[]} headers
 * @param {number} room   in bytes
 */
function fitting(headers, room) {
  const kept = headers.filter(([name, value]) => (room -= bytes(name) + bytes(value) + EACH) >= 0);
  return { headers: kept, left: headers.length - kept.length };
}

/**
 * How many bytes a text takes at most.
 * @param {string} text
 */
function bytes(text) {
  return /^[\0-\x7f]*$/u.test(text) ? text.length : 3 * text.length;
}
