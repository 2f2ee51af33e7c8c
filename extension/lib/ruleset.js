// @ts-check
/**
 * Host rules as they are written (built in, by a lead, by a policy), checked and made ready. A rule that cannot be used
 * is refused by name and field; the others count. Pure; the same as ruleset.py.
 */
import { network } from "./cidr.js";
import { compiled, steps } from "./pattern.js";

/** @typedef {import("./cidr.js").Network} Network */
/** @typedef {"host" | "cdn"} Kind */

/**
 * A rule that can be matched. Any of its signals counts.
 * @typedef {object} Rule
 * @property {string} name
 * @property {Kind} kind
 * @property {boolean} ours
 * @property {1|2|3} confidence   a hint, likely, sure
 * @property {string} about       where it is documented; may be empty
 * @property {boolean} complete   whether `networks` are all there are
 * @property {[string, RegExp | null][]} headers   by name; null where any value counts
 * @property {{written: string, network: Network}[]} networks
 * @property {string[]} names     of the host or what it is an alias of; `*.` stands for everything below
 * @property {string[]} ns        of its name servers
 */

/**
 * Why a rule is not used: `rule` is its name, or its place as `#3`; `what` is the piece that is wrong.
 * @typedef {{rule: string, field: string, why: string, what: string}} Refused
 */

/** @typedef {(field: string, why: string, what?: string) => void} Refuse */

export const MOST = { rules: 200, headers: 20, cidrs: 500, names: 50, name: 60, about: 300, host: 253, steps: 2 ** 23 };
const WIDEST = { 4: 8, 16: 16 };
const FIELDS = ["name", "kind", "headers", "cidrs", "names", "ns", "confidence", "about", "ours", "complete"];
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,80}$/;
const HOST = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;
const ABOUT = /^https:\/\/[a-z0-9.-]+(?:\/[!-~]*)?$/;

/**
 * The rules of a list, ready, and why the others are not.
 * @param {unknown} list
 * @returns {{rules: Rule[], refused: Refused[]}}
 */
export function ruleset(list) {
  if (!Array.isArray(list)) return { rules: [], refused: [{ rule: "", field: "", why: "list", what: "" }] };
  if (list.length > MOST.rules) return { rules: [], refused: [{ rule: "", field: "", why: "many", what: `${MOST.rules}` }] };
  /** @type {Rule[]} */
  const rules = [];
  /** @type {Refused[]} */
  const refused = [];
  let left = MOST.steps;
  list.forEach((written, at) => {
    const before = refused.length;
    const name = written?.name;
    const rule = typeof name === "string" && name !== "" ? shown(name) : `#${at + 1}`;
    /** @type {Refuse} */
    const refuse = (field, why, what = "") => void refused.push({ rule, field, why, what: shown(what) });
    const { ready, cost } = one(written, refuse);
    if (refused.length === before && cost > left) refuse("headers", "slow together");
    if (!ready || refused.length > before) return;
    left -= cost;
    rules.push(ready);
  });
  return { rules, refused };
}

/**
 * @param {unknown} written
 * @param {Refuse} refuse
 * @returns {{ready?: Rule, cost: number}}
 */
function one(written, refuse) {
  if (!isObject(written)) return refuse("", "object"), { cost: 0 };
  for (const field of Object.keys(written).sort()) if (!FIELDS.includes(field)) refuse(field.slice(0, MOST.name), "unknown");
  const { headers, cost } = headersOf(written.headers, refuse);
  /** @type {Rule} */
  const ready = {
    name: nameOf(written.name, refuse),
    kind: /** @type {Kind} */ (choice("kind", written.kind, ["host", "cdn"], refuse)),
    ours: flag("ours", written.ours, refuse),
    confidence: /** @type {1|2|3} */ (choice("confidence", written.confidence, [1, 2, 3], refuse)),
    about: aboutOf(written.about, refuse),
    complete: flag("complete", written.complete, refuse),
    headers,
    networks: texts("cidrs", written.cidrs, MOST.cidrs, refuse).flatMap((each) => networkOf(each, refuse)),
    names: texts("names", written.names, MOST.names, refuse).flatMap((each) => hostOf("names", each, refuse)),
    ns: texts("ns", written.ns, MOST.names, refuse).flatMap((each) => hostOf("ns", each, refuse)),
  };
  if (["headers", "cidrs", "names", "ns"].every((field) => isEmpty(written[field]))) refuse("", "no signal");
  if (ready.complete && isEmpty(written.cidrs)) refuse("complete", "no cidrs");
  return { ready, cost };
}

/**
 * @param {unknown} written
 * @param {Refuse} refuse
 */
function headersOf(written, refuse) {
  /** @type {Map<string, RegExp | null>} */
  const headers = new Map();
  let cost = 0;
  if (written === undefined) return { headers: [], cost };
  if (!isObject(written)) return refuse("headers", "object"), { headers: [], cost };
  const names = Object.keys(written).sort();
  if (names.length > MOST.headers) return refuse("headers", "many", `${MOST.headers}`), { headers: [], cost };
  for (const spelled of names) {
    const name = spelled.replace(/[A-Z]/g, (each) => each.toLowerCase());
    const field = `headers.${shown(spelled)}`;
    const pattern = written[spelled];
    const taken = typeof pattern === "string" ? steps(pattern) : "text";
    if (!HEADER.test(name)) refuse(field, "header");
    else if (headers.has(name)) refuse(field, "twice");
    else if (typeof pattern !== "string" || typeof taken !== "number") refuse(field, String(taken), typeof pattern === "string" ? pattern : "");
    else {
      headers.set(name, pattern === "" ? null : compiled(pattern));
      cost += taken;
    }
  }
  return { headers: [...headers].sort(([one], [other]) => (one < other ? -1 : 1)), cost };
}

/**
 * @param {unknown} written
 * @param {Refuse} refuse
 */
function nameOf(written, refuse) {
  if (written === undefined) refuse("name", "missing");
  else if (typeof written !== "string") refuse("name", "text");
  else if (/^ | $|^$/.test(written)) refuse("name", "empty");
  else if (UNSEEN.test(written)) refuse("name", "unseen");
  else if ([...written].length > MOST.name) refuse("name", "long", written);
  else return written;
  return "";
}

/**
 * @param {unknown} written
 * @param {Refuse} refuse
 */
function aboutOf(written, refuse) {
  if (written === undefined) return "";
  if (typeof written === "string" && written.length <= MOST.about && ABOUT.test(written)) return written;
  refuse("about", "address of a page", typeof written === "string" ? written : "");
  return "";
}

/**
 * @param {string} field
 * @param {unknown} written
 * @param {unknown[]} choices
 * @param {Refuse} refuse
 */
function choice(field, written, choices, refuse) {
  if (choices.includes(written)) return written;
  if (written === undefined) refuse(field, "missing");
  else refuse(field, "choice", typeof written === "string" ? written : "");
  return choices[0];
}

/**
 * @param {string} field
 * @param {unknown} written
 * @param {Refuse} refuse
 */
function flag(field, written, refuse) {
  if (written !== undefined && typeof written !== "boolean") refuse(field, "true or false");
  return written === true;
}

/**
 * @param {string} field
 * @param {unknown} written
 * @param {number} most
 * @param {Refuse} refuse
 * @returns {string[]}
 */
function texts(field, written, most, refuse) {
  if (written === undefined) return [];
  if (!Array.isArray(written) || !written.every((each) => typeof each === "string")) return refuse(field, "texts"), [];
  if (written.length > most) return refuse(field, "many", `${most}`), [];
  return written;
}

/**
 * @param {string} written
 * @param {Refuse} refuse
 */
function networkOf(written, refuse) {
  const found = network(written);
  if (found === "address") refuse("cidrs", "address", written);
  else if (found === "beyond") refuse("cidrs", "beyond", written);
  else if (found.bits < WIDEST[/** @type {4|16} */ (found.bytes.length)]) refuse("cidrs", "wide", written);
  else return [{ written, network: found }];
  return [];
}

/**
 * @param {string} field
 * @param {string} written
 * @param {Refuse} refuse
 */
function hostOf(field, written, refuse) {
  if (written.length <= MOST.host && HOST.test(written)) return [written];
  refuse(field, "host", written);
  return [];
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function isEmpty(value) {
  return value === undefined || (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);
}

/**
 * A piece of a rule as it is shown where it is refused: on one line, and not for ever.
 * @param {string} text
 */
function shown(text) {
  return [...text].slice(0, MOST.name).join("").replace(/[^ -~\u00a1-\u017f]+/g, "\ufffd");
}
