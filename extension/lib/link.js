// @ts-check
/** Connect links, `https://steelyard.example/companion/connect#<workspace>~<secret>`, and the servers they lead to. Pure. */

/** @typedef {{origin: string, code: string}} Link */
/** @typedef {"link_none" | "link_scheme" | "link_user" | "link_path" | "link_code"} Refusal   a key of messages */

/** Where the console's page sends to, and who answers there. */
const PATH = "/companion/connect";
const LONGEST = 1000;
/** The workspace, then the secret; both as the server makes them: nothing that would have to be written otherwise. */
const CODE = /^[\w.-]{1,80}~[\w-]{8,200}$/u;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * What a connect link says.
 * @param {string} text   from the address bar or pasted: anybody may have written it
 * @returns {Link | {refused: Refusal}}
 */
export function readLink(text) {
  const url = parsed(text);
  if (!url) return { refused: "link_none" };
  const refused = unfit(url);
  if (refused) return { refused };
  if (url.pathname !== PATH || url.search) return { refused: "link_path" };
  const code = url.hash.slice(1);
  return CODE.test(code) ? { origin: url.origin, code } : { refused: "link_code" };
}

/**
 * The origin of a server's address, as a company or a person may write it; undefined where no token may be sent there.
 * @param {string} text
 */
export function serverOf(text) {
  const url = parsed(text);
  return url && !unfit(url) ? url.origin : undefined;
}

/** What the browser is asked for, to speak to a server: its name at any port, since it knows no other way. @param {string} origin */
export function patternOf(origin) {
  const { protocol, hostname } = new URL(origin);
  return `${protocol}//${hostname}/*`;
}

/**
 * The number of the conversation that a tab shows, in Intercom's inbox or in one that looks like it.
 * @param {string} address
 */
export function conversationOf(address) {
  const url = parsed(address);
  const found = url && /^\/a\/(?:inbox|apps)\/[\w-]+\/(?:[\w-]+\/)*conversations?\/(\d{1,19})(?:[/?#]|$)/u.exec(url.pathname);
  return found ? found[1] : undefined;
}

/**
 * The host of a page, as sites are listed: without a last dot. Undefined for what is not a page of a site.
 * @param {string} address
 */
export function hostOf(address) {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/u.test(url.protocol)) return undefined;
  return url.hostname.replace(/\.$/u, "") || undefined;
}

/** @param {string} text */
function parsed(text) {
  try {
    return text.length > LONGEST ? undefined : new URL(text.trim());
  } catch {
    return undefined;
  }
}

/** Why nothing may be sent there. @param {URL} url @returns {Refusal | undefined} */
function unfit(url) {
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.has(url.hostname))) return "link_scheme";
  return url.username || url.password ? "link_user" : undefined;
}
