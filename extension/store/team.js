// @ts-check
/**
 * The connection with the team's Steelyard: its token and what it said last, in `local` alone, so that content scripts never see it.
 * Nothing here asks by itself. What was said last goes on working when the server is away, and when the connection has ended.
 */
import { patternOf, readLink, serverOf } from "../lib/link.js";

/**
 * @typedef {object} Team
 * @property {string} server                         its origin
 * @property {string} token
 * @property {{id: string, name: string}} workspace
 * @property {{name: string, engineer: string | null}} person
 * @property {string[]} trusted                      domains
 * @property {{version: number, rules: unknown[]} | null} rules
 * @property {string} names                          which list of names of sites is kept; empty where none is
 * @property {number} checked_at                     when it was asked last, in milliseconds
 * @property {string} expires_at
 * @property {boolean} ended                         whether its token was refused
 * @property {string} etag
 * @property {string} code                           of the link that it was made by, which opens nothing any more
 */

/** What a problem says: a message, and the server's own sentence where it has one. @typedef {{say: string, values: string[], why: string}} Problem */
/** @typedef {{ok: true, status: number, data: any, etag: string, problem?: undefined}} Answered */
/** @typedef {{ok: false, status: number, data: any, etag: string, problem: Problem}} Failed   `status` 0: there was no answer */
/** @typedef {Answered | Failed} Answer */
/** Whom a link connects and with which workspace, as its server says; the address is nobody else's there. @typedef {{workspace: string, name: string, address: string}} Whom */
/** A link that somebody wants to connect by, and what came of it so far. @typedef {{link: string, at: number, whom?: Whom, problem?: Problem}} Connecting */

const TEAM = "team";
const NAMES = "team names";
const CONNECTING = "connecting";
/** How long an answer is waited for, and how long what was said counts as new, in milliseconds. */
const MOST_WAIT = 8000;
const FRESH = 10 * 60_000;
const MOST_NAMES = 100_000;

/** What a status means for who reads it. @type {Record<number, string>} */
const SAYS = { 400: "team_wrong", 401: "team_ended", 403: "team_forbidden", 404: "team_not_there", 409: "team_conflict", 410: "team_link_used", 421: "team_elsewhere", 422: "team_wrong", 429: "team_too_many" };

/** Of these all is said with that. */
const TOLD = new Set(["team_ended", "team_link_used", "team_by_token", "team_elsewhere"]);

/** What was read last of the names of sites, since they may be many. @type {{version: string, names: Set<string>}} */
let kept = { version: "", names: new Set() };

/** @returns {Promise<Team | null>}   null where nothing was connected */
export async function team() {
  const { [TEAM]: found } = await chrome.storage.local.get(TEAM);
  return found ?? null;
}

/** The hosts that the team's sites are reached by. Asks nobody. @returns {Promise<Set<string>>} */
export async function siteNames() {
  const version = (await team())?.names ?? "";
  if (version !== kept.version) {
    const { [NAMES]: found } = version ? await chrome.storage.local.get(NAMES) : { [NAMES]: undefined };
    kept = { version, names: new Set(found?.version === version ? found.list : []) };
  }
  return kept.names;
}

/**
 * @param {() => void} act   when what is kept here changes
 * @returns {() => void}     ends it
 */
export function watch(act) {
  /** @param {Record<string, unknown>} changed */
  const heard = (changed) => (TEAM in changed || NAMES in changed || CONNECTING in changed) && act();
  const places = [chrome.storage.local, chrome.storage.session];
  for (const { onChanged } of places) onChanged.addListener(heard);
  return () => places.forEach(({ onChanged }) => onChanged.removeListener(heard));
}

/**
 * Keeps how far connecting is: the page that asks may be closed by what the browser asks.
 * @param {string} link        empty where it was dealt with
 * @param {{whom?: Whom, problem?: Problem}} [came]   what came of it
 */
export async function keepConnecting(link, came = {}) {
  if (!link && !came.problem) await chrome.storage.session.remove(CONNECTING);
  else await chrome.storage.session.set({ [CONNECTING]: { link, at: Date.now(), ...came } });
}

/** What `keepConnecting` kept, while a link may still be good. @returns {Promise<Connecting | null>} */
export async function connecting() {
  const { [CONNECTING]: found } = await chrome.storage.session.get(CONNECTING);
  return found && Math.abs(Date.now() - found.at) < FRESH ? found : null;
}

/**
 * Asks the team's server, as who connected.
 * @param {string} path
 * @param {{method?: string, body?: unknown, etag?: string}} [how]
 * @returns {Promise<Answer>}
 */
export async function ask(path, how = {}) {
  const known = await team();
  if (!known) return failed(0, "team_none", []);
  if (known.ended) return failed(401, "team_ended", [known.server]);
  const answer = await send(known.server, path, { ...how, token: known.token });
  if (answer.status === 401) await change(known.token, () => ({ ended: true }));
  return answer;
}

/**
 * Whom a link of the console's page connects, which stays good. The browser has to have allowed its origin before: see `patternOf`.
 * @param {string} address
 * @returns {Promise<{whom: Whom} | {problem: Problem}>}
 */
export async function look(address) {
  const link = await allowed(address);
  if ("problem" in link) return link;
  const answer = await send(link.origin, "/api/companion/connect/look", { method: "POST", body: { code: link.code } });
  if (!answer.ok) return { problem: answer.problem };
  const { workspace, person } = answer.data ?? {};
  const whom = { workspace: workspaceOf(workspace).name, name: text(person?.name), address: text(person?.address) };
  return whom.address ? { whom } : { problem: failed(answer.status, "team_not_steelyard", [link.origin]).problem };
}

/**
 * Connects by a link as `look` does. The connection that there was ends; where its server cannot be told, `problem` says so.
 * @param {string} text
 * @returns {Promise<{ok: true, problem?: Problem} | {ok: false, problem: Problem}>}
 */
export async function connect(text) {
  const link = await allowed(text);
  if ("problem" in link) return { ok: false, ...link };
  return navigator.locks.request("team connect", () => exchange(link));
}

/** What a link says that this browser may be connected by. @param {string} text @returns {Promise<import("../lib/link.js").Link | {problem: Problem}>} */
async function allowed(text) {
  const link = readLink(text);
  if ("refused" in link) return { problem: { say: link.refused, values: [], why: "" } };
  const only = await companys();
  return only === undefined || only === link.origin ? link : { problem: { say: "team_not_companys", values: [link.origin, only], why: "" } };
}

/** The only server that the company's policy lets this browser connect with, if it names one; none where what it names cannot be one. */
async function companys() {
  const { server } = await chrome.storage.managed.get("server").catch(() => ({ server: "" }));
  return typeof server === "string" && server ? (serverOf(/^https?:/iu.test(server) ? server : `https://${server}`) ?? server) : undefined;
}

/**
 * A code for a token. Two pages may ask at once: the code is good for one of them, and then for both.
 * @param {import("../lib/link.js").Link} link
 * @returns {Promise<{ok: true, problem?: Problem} | {ok: false, problem: Problem}>}
 */
async function exchange(link) {
  const before = await team();
  if (before?.code === link.code) return { ok: true };
  const answer = await send(link.origin, "/api/companion/connect", { method: "POST", body: { code: link.code, browser: browserName() } });
  if (!answer.ok) return { ok: false, problem: answer.problem };
  const { token, workspace, expires_at } = answer.data ?? {};
  if (typeof token !== "string" || !token) return { ok: false, problem: failed(answer.status, "team_not_steelyard", [link.origin]).problem };
  /** @type {Team} */
  const made = {
    server: link.origin, token, workspace: workspaceOf(workspace), person: { name: "", engineer: null }, trusted: [], rules: null,
    names: "", checked_at: 0, expires_at: String(expires_at ?? ""), ended: false, etag: "", code: link.code,
  };
  await navigator.locks.request(TEAM, () => chrome.storage.local.set({ [TEAM]: made, [NAMES]: null }));
  const [problem] = await Promise.all([before ? end(before) : undefined, refresh(true)]);
  return problem ? { ok: true, problem } : { ok: true };
}

/** Forgets the connection and all that the server said. Where the server cannot be told, that is kept to be said. */
export async function disconnect() {
  const known = await team();
  await keepConnecting(""); // first: a link may be typed while the server is told
  await navigator.locks.request(TEAM, () => chrome.storage.local.remove([TEAM, NAMES]));
  const problem = known && (await end(known));
  if (problem) await keepConnecting("", { problem });
}

/**
 * Has a connection's server revoke its token, and gives the permission back where nothing else takes it.
 * @param {Team} gone
 * @returns {Promise<Problem | undefined>}   where the token may open something still
 */
async function end({ server, token, expires_at, ended }) {
  const answer = ended ? undefined : await send(server, "/api/companion/token", { method: "DELETE", token });
  const now = (await team())?.server;
  if (!now || patternOf(now) !== patternOf(server)) await chrome.permissions.remove({ origins: [patternOf(server)] }).catch(() => false);
  return !answer || answer.ok || answer.status === 401 ? undefined : { say: "team_left", values: [server, text(expires_at).slice(0, 10)], why: "" };
}

/**
 * Has the team's settings, rules and names of sites told anew, where the last time is long enough ago.
 * @param {boolean} [now]   however long ago it is
 * @returns {Promise<Answer | null>}   null where nothing was asked
 */
export function refresh(now = false) {
  return navigator.locks.request("team refresh", async () => {
    const known = await team();
    const only = known && (await companys());
    if (only && only !== known.server) return disconnect().then(() => null);
    if (!known || known.ended || (!now && Math.abs(Date.now() - known.checked_at) < FRESH)) return null;
    await change(known.token, () => ({ checked_at: Date.now() }));
    const answer = await ask("/api/companion/team", { etag: known.etag });
    if (!answer.ok) return answer;
    if (answer.status === 200) await change(known.token, () => told(answer));
    const names = await ask("/sites/names.json", { etag: known.names });
    if (names.ok && names.status === 200) await keepNames(known.token, names);
    return names.ok ? answer : names;
  });
}

/** What of an answer is kept: only what has the shape it should have. @param {Answered} answer @returns {Partial<Team>} */
function told({ data, etag }) {
  const { workspace, person, trusted, rules, expires_at } = data ?? {};
  return {
    etag,
    workspace: workspaceOf(workspace),
    person: { name: text(person?.name), engineer: person?.engineer == null ? null : text(person.engineer) },
    trusted: texts(trusted),
    rules: Array.isArray(rules?.rules) ? rules : null,
    expires_at: text(expires_at),
  };
}

/** @param {string} token @param {Answered} answer */
async function keepNames(token, { data, etag }) {
  const list = texts(data?.names).slice(0, MOST_NAMES);
  const version = etag || `${Date.now()}`;
  await change(token, async () => {
    await chrome.storage.local.set({ [NAMES]: { version, list } });
    return { names: version };
  });
}

/**
 * Changes the connection, unless it is another one by now.
 * @param {string} token
 * @param {() => Partial<Team> | Promise<Partial<Team>>} what
 */
async function change(token, what) {
  await navigator.locks.request(TEAM, async () => {
    const known = await team();
    if (known?.token === token) await chrome.storage.local.set({ [TEAM]: { ...known, ...(await what()) } });
  });
}

/**
 * One request. It carries no cookies, follows no redirect to elsewhere, and ends in time.
 * @param {string} server
 * @param {string} path
 * @param {{method?: string, body?: unknown, etag?: string, token?: string}} how
 * @returns {Promise<Answer>}
 */
async function send(server, path, { method = "GET", body, etag, token }) {
  const headers = new Headers({ Accept: "application/json", "Accept-Language": chrome.i18n.getUILanguage() });
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (etag) headers.set("If-None-Match", etag);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  try {
    const response = await fetch(new URL(path, server), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "omit", redirect: "manual", cache: "no-store",
      referrerPolicy: "no-referrer", signal: AbortSignal.timeout(MOST_WAIT),
    });
    return await answered(server, response);
  } catch (error) {
    return failed(0, error instanceof DOMException && error.name === "TimeoutError" ? "team_slow" : "team_unreachable", [server]);
  }
}

/** @param {string} server @param {Response} response @returns {Promise<Answer>} */
async function answered(server, response) {
  const { status } = response;
  if (response.type === "opaqueredirect") return failed(0, "team_moved", [server]);
  const etag = response.headers.get("etag") ?? "";
  if (status === 304 || status === 204) return { ok: true, status, data: null, etag };
  const data = await response.json().catch((error) => {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  });
  if (response.ok && data !== undefined) return { ok: true, status, data, etag };
  if (response.ok) return failed(status, "team_not_steelyard", [server]);
  const say = data?.error?.code === "by_token" ? "team_by_token" : (SAYS[status] ?? (status >= 500 ? "team_broken" : "team_not_steelyard"));
  return failed(status, say, [server], TOLD.has(say) ? "" : text(data?.error?.message ?? data?.error), data);
}

/** @param {number} status @param {string} say @param {string[]} values @param {string} [why] @param {any} [data] @returns {Failed} */
function failed(status, say, values, why = "", data = null) {
  return { ok: false, status, data, etag: "", problem: { say, values, why } };
}

/** By what the console lists this browser: "Chrome on Linux". */
function browserName() {
  /** @type {{brands?: {brand: string}[], platform?: string} | undefined} */
  const told = /** @type {any} */ (navigator).userAgentData;
  const brands = (told?.brands ?? []).map((each) => each.brand).filter((each) => !/not.*brand/iu.test(each));
  const brand = brands.find((each) => each !== "Chromium") ?? brands[0] ?? "Chrome";
  return told?.platform ? `${brand} on ${told.platform}` : brand;
}

/** @param {any} told */
function workspaceOf(told) {
  return { id: text(told?.id ?? told), name: text(told?.name ?? told?.id ?? told) };
}

/** @param {unknown} told */
export function text(told) {
  return typeof told === "string" || typeof told === "number" ? String(told).slice(0, 300) : "";
}

/** @param {unknown} told @returns {string[]} */
export function texts(told) {
  return Array.isArray(told) ? told.filter((each) => typeof each === "string") : [];
}
