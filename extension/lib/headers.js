// @ts-check
/** Response headers in groups, each with what it is good for when a problem has to be located. Pure. */
import { notesOf } from "./values.js";

/** @typedef {import("./events.js").Header} Header */
/** @typedef {import("./values.js").Note} Note */
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
