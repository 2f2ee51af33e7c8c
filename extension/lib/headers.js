// @ts-check
/** Response headers in groups, each with what it is good for when a problem has to be located. Pure. */
/** @typedef {import("./events.js").Header} Header */
/** @typedef {"cache"|"cdn"|"server"|"security"|"cookies"|"other"} Group */

/**
 * A header, with keys of messages instead of texts.
 * @typedef {object} Explained
 * @property {string} name    as it was sent
 * @property {string} value
 * @property {string} key     of a sentence on the header; empty where it is not known
 * @property {Note[]} notes   on this value
 */

/** @type {Record<Exclude<Group, "other">, string>} */
const KNOWN = {
  cache: `age cache-control cdn-cache-control cloudflare-cdn-cache-control surrogate-control expires pragma etag last-modified vary
    cache-status x-cache x-cache-hits x-cache-status x-cache-enabled x-cache-group x-cache-handler x-cacheable x-pass-why x-proxy-cache
    x-proxy-cache-info x-fastcgi-cache x-nginx-cache x-srcache-fetch-status x-srcache-store-status x-varnish x-litespeed-cache
    x-litespeed-cache-control x-litespeed-tag x-qc-cache x-kinsta-cache ki-cache-type ki-cf-cache-status x-gateway-cache-status
    x-hcdn-cache-status x-ac x-nananana wp-super-cache x-wp-cf-super-cache x-rocket-nginx-serving-static x-drupal-cache x-lw-cache
    cf-cache-status cf-apo-via cf-edge-cache x-vercel-cache cdn-cache x-77-cache x-sucuri-cache`,
  cdn: `cf-ray cf-mitigated via x-amz-cf-id x-amz-cf-pop x-amz-request-id x-akamai-transformed akamai-grn x-served-by x-timer
    x-fastly-request-id x-sucuri-id x-iinfo x-cdn x-vercel-id x-nf-request-id fly-request-id x-github-request-id cdn-requestid
    cdn-pullzone x-azure-ref x-qc-pop ki-edge ki-origin x-hcdn-request-id`,
  server: `server x-powered-by x-generator x-pingback x-redirect-by location link date content-type content-length content-encoding
    content-disposition transfer-encoding retry-after www-authenticate server-timing x-runtime x-request-id x-backend-server x-hostname
    host-header platform wpe-backend x-pantheon-styx-hostname x-styx-req-id x-fw-type x-turbo-charged-by x-robots-tag refresh alt-svc
    non-authoritative-reason x-aspnet-version`,
  security: `strict-transport-security content-security-policy content-security-policy-report-only x-frame-options
    x-content-type-options referrer-policy permissions-policy x-xss-protection cross-origin-opener-policy cross-origin-embedder-policy
    cross-origin-resource-policy access-control-allow-origin access-control-allow-credentials x-permitted-cross-domain-policies expect-ct
    clear-site-data nel report-to`,
  cookies: "set-cookie p3p",
};

/** @type {Map<string, Group>} */
const GROUP_OF = new Map(
  Object.entries(KNOWN).flatMap(([group, names]) => names.split(/\s+/u).map((name) => [name, /** @type {Group} */ (group)])),
);

/** @type {readonly Group[]} */
export const GROUPS = ["cache", "cdn", "server", "security", "cookies", "other"];

/** Names of all headers that have a sentence, in lower case. */
export const EXPLAINED = [...GROUP_OF.keys()];

/**
 * The headers of one response, group by group, each in the order of the response; groups without any are left out.
 * @param {Header[]} headers
 * @param {string} url   of the response
 * @returns {{group: Group, headers: Explained[]}[]}
 */
export function grouped(headers, url) {
  const all = headers.map((header) => explained(header, headers, url));
  return GROUPS.map((group) => ({ group, headers: all.filter((each) => groupOf(each.name) === group) })).filter((each) => each.headers.length);
}

/**
 * The group that a header is of.
 * @param {string} name
 * @returns {Group}
 */
export function groupOf(name) {
  return GROUP_OF.get(name.toLowerCase()) ?? "other";
}

/**
 * @param {Header} header
 * @param {Header[]} headers
 * @param {string} url
 * @returns {Explained}
 */
function explained([name, value], headers, url) {
  const known = GROUP_OF.has(name.toLowerCase());
  const key = known ? `header_${name.toLowerCase().replaceAll("-", "_")}` : "";
  return { name, value, key, notes: notesOf(name, value, headers, url) };
}

// ---- what the value of a header says

/**
 * @typedef {object} Note
 * @property {string} key        of a message
 * @property {string[]} values   for its $1
 * @property {boolean} look      whether it may explain a problem
 */

/**
 * @typedef {object} Around
 * @property {string} url                      of the response
 * @property {(name: string) => string} other  value of another header in lower case; empty where there is none
 */

/** Versions of PHP before this one get no more fixes, by php.net/supported-versions in November 2026. */
const OLDEST_PHP = [8, 2];
const SECONDS = /^\d{1,10}$/u;
const HIDES = /^(?:cloudflare|cloudfront|akamai\w*|sucuri\/?\w*|bunnycdn[\w-]*|hcdn|fastly)/iu;
const CACHES = new Set(
  `x-cache x-cache-status x-proxy-cache x-fastcgi-cache x-nginx-cache x-srcache-fetch-status x-litespeed-cache x-qc-cache x-kinsta-cache
  ki-cf-cache-status x-gateway-cache-status x-hcdn-cache-status x-ac x-nananana wp-super-cache x-wp-cf-super-cache x-drupal-cache x-lw-cache
  cf-cache-status x-vercel-cache cdn-cache x-77-cache x-sucuri-cache cache-status`.split(/\s+/u),
);

/** What caches say, in the order in which to look for it. @type {[string, RegExp, boolean][]} */
const SAYINGS = [
  ["value_revalidated", /refresh_?hit|revalidated/iu, false],
  ["value_expired", /expired|fwd=stale/iu, false],
  ["value_stale", /stale|updating/iu, true],
  ["value_bypass", /bypass|pass|skip|no-cache|uncacheable/iu, true],
  ["value_dynamic", /dynamic|none\b/iu, false],
  ["value_error", /error/iu, true],
  ["value_miss", /miss|batcache-set/iu, false],
  ["value_hit", /hit|supercache|cached/iu, false],
];

/** @type {Record<string, (value: string, around: Around) => (Note | false | undefined)[]>} */
const SAYS = {
  age: (value) => [SECONDS.test(value) && note("value_age", lasting(Number(value)))],
  "cache-control": directives,
  "cdn-cache-control": directives,
  "cloudflare-cdn-cache-control": directives,
  "surrogate-control": directives,
  "cf-mitigated": (value) => [/challenge/iu.test(value) && look("value_challenge")],
  "cf-ray": (value) => [place(/-([A-Z]{3})$/u.exec(value)?.[1])],
  "x-amz-cf-pop": (value) => [place(/^[A-Z]{3}/u.exec(value)?.[0])],
  "content-length": (value) => [value === "0" && look("value_empty")],
  "content-type": (value) => [!/^(?:text\/html|application\/xhtml\+xml)/iu.test(value) && note("value_not_page", value.split(";")[0])],
  "content-disposition": (value) => [/^attachment/iu.test(value) && look("value_download")],
  "content-security-policy": policy,
  expires,
  link: (value) => [/api\.w\.org/iu.test(value) && note("value_wordpress")],
  location: (value, { url }) => [/^http:/iu.test(value) && /^https:/iu.test(url) && look("value_plain_location")],
  "retry-after": (value) => [SECONDS.test(value) && note("value_retry_after", lasting(Number(value)))],
  server: (value) => [HIDES.test(value) && note("value_hidden_server", HIDES.exec(value)?.[0] ?? "")],
  "set-cookie": cookie,
  "strict-transport-security": transport,
  vary,
  "x-cache-enabled": (value) => [/^(?:false|no|off|0)$/iu.test(value) && look("value_cache_off")],
  "x-cacheable": (value) => [/^no\b/iu.test(value) && look("value_not_kept", value.replace(/^no:?\s*/iu, "") || value)],
  "x-pass-why": (value) => [value !== "" && look("value_not_kept", value)],
  "x-content-type-options": (value) => [value.toLowerCase() !== "nosniff" && look("value_not_nosniff")],
  "x-frame-options": (value) => [
    /^deny$/iu.test(value) && look("value_frame_none"),
    /^sameorigin$/iu.test(value) && note("value_frame_same"),
  ],
  "x-powered-by": php,
  "x-robots-tag": (value) => [/noindex|\bnone\b/iu.test(value) && look("value_noindex")],
  "x-varnish": (value) => [note(/^\d+\s+\d+$/u.test(value) ? "value_hit" : "value_miss")],
  "access-control-allow-origin": (value, { other }) => [
    value === "*" && (other("access-control-allow-credentials") === "true" ? look("value_any_origin_refused") : note("value_any_origin")),
  ],
};

/**
 * What a value says, of what matters for locating a problem.
 * @param {string} name
 * @param {string} value
 * @param {Header[]} headers   all of the response
 * @param {string} url         of the response
 * @returns {Note[]}
 */
export function notesOf(name, value, headers, url) {
  const key = name.toLowerCase();
  const other = (/** @type {string} */ wanted) => headers.find(([each]) => each.toLowerCase() === wanted)?.[1].toLowerCase() ?? "";
  const said = CACHES.has(key) ? cacheSays(value) : Object.hasOwn(SAYS, key) ? SAYS[key](value.trim(), { url, other }) : [];
  return said.filter((each) => typeof each === "object");
}

/**
 * Seconds as somebody reads them.
 * @param {number} seconds
 */
export function lasting(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return new Intl.NumberFormat(undefined, { style: "unit", unit: "day", unitDisplay: "long" }).format(Math.round(seconds / 86_400));
}

/** @param {string} value */
function cacheSays(value) {
  const parts = value.split(",").map(saying).filter((each) => each !== undefined);
  const last = parts.at(-1);
  if (!last) return [];
  return parts.length > 1 ? [last, note("value_layers")] : [last];
}

/** @param {string} part */
function saying(part) {
  const [key, , matters] = SAYINGS.find(([, pattern]) => pattern.test(part)) ?? [];
  return key === undefined ? undefined : { key, values: [], look: matters ?? false };
}

/**
 * The strictest rule alone, where it leaves nothing to the others.
 * @param {string} value
 */
function directives(value) {
  const given = new Map(value.toLowerCase().split(",").map((each) => pair(each)));
  const age = given.get("max-age") ?? "";
  const shared = given.get("s-maxage") ?? "";
  if (given.has("no-store")) return [look("value_no_store")];
  return [
    given.has("no-cache") && look("value_no_cache"),
    given.has("private") && look("value_private"),
    SECONDS.test(age) && !given.has("no-cache") && (Number(age) ? note("value_max_age", lasting(Number(age))) : look("value_max_age_zero")),
    SECONDS.test(shared) && note("value_shared_age", lasting(Number(shared))),
    (given.has("stale-while-revalidate") || given.has("stale-if-error")) && note("value_stale_allowed"),
  ];
}

/**
 * @param {string} value
 * @param {Around} around
 */
function expires(value, { other }) {
  if (/11 Jan 1984/u.test(value)) return [look("value_expires_wordpress")];
  if (/19 Nov 1981/u.test(value)) return [look("value_expires_session")];
  const [until, made] = [Date.parse(value), Date.parse(other("date"))];
  const past = /^-?\d+$/u.test(value) || Number.isNaN(until) || until <= made;
  return [past && look("value_expires_past")];
}

/** @param {string} value */
function vary(value) {
  const names = value.toLowerCase().split(",").map((each) => each.trim());
  return [
    names.includes("*") && look("value_vary_all"),
    names.includes("cookie") && look("value_vary_cookie"),
    names.includes("user-agent") && look("value_vary_agent"),
  ];
}

/** @param {string} value */
function transport(value) {
  const given = new Map(value.toLowerCase().split(";").map((each) => pair(each)));
  const age = given.get("max-age")?.replaceAll('"', "") ?? "";
  if (!SECONDS.test(age)) return [look("value_hsts_no_age")];
  if (!Number(age)) return [look("value_hsts_off")];
  return [note("value_hsts_age", lasting(Number(age))), given.has("includesubdomains") && note("value_hsts_subdomains")];
}

/** @param {string} value */
function policy(value) {
  const rules = value.split(/[;,]/u).map((each) => each.trim().split(/\s+/u));
  const frames = rules.find(([name]) => name.toLowerCase() === "frame-ancestors")?.slice(1);
  return [
    frames && (/^(?:'none')?$/u.test(frames.join(" ")) ? look("value_frame_none") : note("value_frame_some", frames.join(" "))),
    rules.some(([name]) => name.toLowerCase() === "upgrade-insecure-requests") && note("value_upgrade"),
  ];
}

/** @param {string} value */
function php(value) {
  const [, version, major, minor] = /PHP\/((\d+)\.(\d+)[\w.]*)/u.exec(value) ?? [];
  if (version === undefined) return [];
  const old = Number(major) < OLDEST_PHP[0] || (Number(major) === OLDEST_PHP[0] && Number(minor) < OLDEST_PHP[1]);
  return [old && look("value_old_php", version)];
}

/**
 * @param {string} value
 * @param {Around} around
 */
function cookie(value, { url }) {
  const [[name], ...attributes] = value.split(";").map(pair);
  const given = new Map(attributes.map(([each, is]) => /** @type {[string, string]} */ ([each.toLowerCase(), is.toLowerCase()])));
  if (given.get("max-age") === "0" || Date.parse(given.get("expires") ?? "") < Date.UTC(2000, 0)) return [note("value_cookie_gone")];
  const secure = given.has("secure");
  return [
    /^PHPSESSID$/iu.test(name) && look("value_cookie_session"),
    /^wordpress_(?:logged_in|sec)/iu.test(name) && look("value_cookie_login"),
    /^(?:woocommerce_|wp_woocommerce_session|edd_|wc_cart)/iu.test(name) && look("value_cookie_cart"),
    /^(?:__cf_bm|_cfuvid|cf_clearance|__cfruid|visid_incap|incap_ses|ak_bmsc|bm_sv|awsalb|sucuri_)/iu.test(name) && note("value_cookie_front"),
    !secure && /^https:/iu.test(url) && note("value_cookie_no_secure"),
    !given.has("httponly") && note("value_cookie_no_httponly"),
    given.get("samesite") === "none" && !secure && look("value_cookie_none"),
    !given.has("samesite") && note("value_cookie_no_samesite"),
  ];
}

/**
 * @param {string} text   `name=value`, or a name alone
 * @returns {[name: string, value: string]}
 */
export function pair(text) {
  const at = text.indexOf("=");
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** @param {string | undefined} code */
function place(code) {
  return code !== undefined && note("value_place", code);
}

/**
 * @param {string} key
 * @param {string[]} values
 * @returns {Note}
 */
function note(key, ...values) {
  return { key, values, look: false };
}

/**
 * @param {string} key
 * @param {string[]} values
 * @returns {Note}
 */
function look(key, ...values) {
  return { key, values, look: true };
}

// ---- which few headers of a page tell most of it

/** Groups by how often what is in them explains what a customer sees. */
const BY_WEIGHT = ["cache", "cdn", "server", "cookies", "security", "other"];
/** What one looks for even where nothing is wrong, in this order. */
const FIRST = "cf-cache-status x-cache x-kinsta-cache x-proxy-cache x-litespeed-cache x-varnish cache-status age cache-control server x-powered-by content-type".split(" ");

/**
 * What may explain a problem first, then what caches say, then who answered.
 * @param {import("./events.js").Header[]} headers
 * @param {string} url   of the response
 * @param {number} [most]
 * @returns {Explained[]}
 */
export function telling(headers, url, most = 3) {
  const groups = grouped(headers, url).sort((one, other) => BY_WEIGHT.indexOf(one.group) - BY_WEIGHT.indexOf(other.group));
  const all = groups.flatMap((each) => each.headers);
  return all.map((each) => ({ each, rank: rank(each) })).sort((one, other) => one.rank - other.rank).slice(0, most).map(({ each }) => each);
}

/** @param {Explained} header */
function rank({ name, notes, key }) {
  if (notes.some((each) => each.look)) return 0;
  const place = FIRST.indexOf(name.toLowerCase());
  if (place >= 0) return 1 + place;
  return notes.length ? 20 : key ? 30 : 40;
}
