// @ts-check
/**
 * What is known of a page's responses, to be copied: as text, Markdown, a command, or a note for the conversation. Pure.
 *
 * Headers are written by the site, so they are hostile text: no line breaks, nothing invisible, no way out of a code
 * block or a quoted argument. Values of cookies may let somebody in: they are left out.
 */
import { grouped, pair } from "./headers.js";

/** @typedef {import("./events.js").Header} Header */
/** @typedef {import("./chain.js").Page} Page */
/** @typedef {import("./chain.js").Hop} Hop */

/**
 * Says a message, as chrome.i18n.getMessage does.
 * @typedef {(key: string, values?: string[]) => string} Say
 */

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]+$/iu;
/** Show headers only, follow redirects as a browser does, and take nothing in the address for a pattern. */
const OPTIONS =
  "--silent --show-error --dump-header - --output /dev/null --compressed --globoff --location --max-redirs 20 --proto =http,https".split(" ");
const IN_NOTE = new Set(["cache", "cdn", "server"]);
const LINES = 40;
const WIDTH = 200;

/**
 * Every hop with all its headers.
 * @param {Page} page
 * @param {Say} say
 */
export function text(page, say) {
  const parts = page.hops.map((hop) => [stepLine(hop, say), ...headerLines(hop, say)].join("\n"));
  return [headLines(page, say).join("\n"), ...parts].join("\n\n") + "\n";
}

/**
 * The same, with what may explain a problem below it.
 * @param {Page} page
 * @param {Say} say
 */
export function markdown(page, say) {
  const [title, ...rest] = headLines(page, say, code);
  const parts = page.hops.map((hop) => `${code(stepLine(hop, say))}\n\n${fenced(headerLines(hop, say))}`);
  const looked = toLook(page).map((each) => `- ${code(headerLine([each.name, each.value], say))}: ${lookSentences(each, say, code).join(" ")}`);
  const found = looked.length ? [`#### ${say("note_look")}`, looked.join("\n")] : [];
  return [`### ${title}`, rest.join("  \n"), ...parts, ...found].join("\n\n") + "\n";
}

/**
 * A command that asks the same servers again; empty where the page does not come from the web.
 * @param {Page} page
 * @param {Header[]} [headers]   to send along, such as the browser's name
 */
export function curl(page, headers = []) {
  const first = parsed(page.hops[0]?.url ?? page.url);
  if (!first) return "";
  const pinned = new Set(page.hops.map(resolved).filter((each) => each !== ""));
  const sent = headers.filter(([name]) => TOKEN.test(name)).flatMap(([name, value]) => ["--header", oneHeader(name, value)]);
  const all = [...OPTIONS, ...[...pinned].flatMap((each) => ["--resolve", each]), ...sent, "--url", first.href];
  return ["curl", ...all.map(quoted)].join(" ");
}

/**
 * What locates a problem, short enough to read in a conversation; untrusted addresses in it are unclickable.
 * @param {Page} page
 * @param {Say} say
 * @param {(text: string) => string} safe   makes addresses unclickable: given, since it takes five modules that a popup has no use for
 */
export function note(page, say, safe) {
  const lines = [...headLines(page, say), ...page.hops.map((hop) => stepLine(hop, say))];
  const last = page.seen ? page.hops.at(-1) : undefined;
  for (const { group, headers } of grouped(last?.headers ?? [], last?.url ?? "")) {
    const told = headers.filter((each) => IN_NOTE.has(group) || each.notes.some((found) => found.look));
    const said = told.map((each) => [headerLine([each.name, each.value], say), ...lookSentences(each, say)]);
    if (said.length) lines.push("", say(`group_${group}`), ...said.map((each) => each.map(short).join(" — ")));
  }
  const more = lines.length > LINES ? [...lines.slice(0, LINES), "…"] : lines;
  return safe(more.join("\n")) + "\n";
}

/**
 * Why no response of a page was seen, in a sentence.
 * @param {Page} page
 * @param {Say} say
 * @param {(hostile: string) => string} [show]   how the browser's word for it is shown
 */
export function reason(page, say, show = (line) => line) {
  return say(`why_${page.why.replaceAll(/[ /]/gu, "_")}`, [show(visible(page.error))]);
}

/**
 * A text as one argument for a POSIX shell.
 * @param {string} argument
 */
export function quoted(argument) {
  return /^[\w./:-][\w./:=,-]*$/u.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/**
 * A text on one line, in which everything can be seen.
 * @param {string} hostile
 */
export function visible(hostile) {
  return hostile.replace(HIDDEN, (each) => (each === "\t" ? " " : `\\u{${each.codePointAt(0)?.toString(16)}}`));
}

// ---- lines

/**
 * @param {Page} page
 * @param {Say} say
 * @param {(hostile: string) => string} [show]   how what the site or the browser wrote is shown
 */
function headLines(page, say, show = (line) => line) {
  const when = `${new Date(page.time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const lines = [say("note_title", [show(address(page.url))]), say("load_seen_at", [when])];
  if (page.at !== page.url) lines.push(say("load_now_at", [show(address(page.at))]));
  if (!page.seen) lines.push(reason(page, say, show));
  else if (page.error) lines.push(say("load_broken", [show(visible(page.error))]));
  return lines;
}

/**
 * @param {Hop} hop
 * @param {Say} say
 */
function stepLine(hop, say) {
  return [`${hop.status || "—"} ${address(hop.url)}`, visible(hop.ip), `${hop.ms} ms`, say(`from_${hop.from}`)].filter(Boolean).join(" · ");
}

/**
 * @param {Hop} hop
 * @param {Say} say
 */
function headerLines(hop, say) {
  const lines = hop.headers.map((header) => headerLine(header, say));
  return hop.left ? [...lines, `(${say("load_left_out", [String(hop.left)])})`] : lines;
}

/**
 * @param {Header} header
 * @param {Say} say
 */
function headerLine([name, value], say) {
  const cookie = name.toLowerCase() === "set-cookie";
  return visible(`${name}: ${cookie ? withoutValue(value, say) : value}`);
}

/**
 * @param {string} cookie
 * @param {Say} say
 */
function withoutValue(cookie, say) {
  const [first, ...attributes] = cookie.split(";");
  return [`${first.includes("=") ? pair(first)[0] : ""}=${say("load_cookie_hidden")}`, ...attributes].join(";");
}

/**
 * The headers of the page itself that may explain a problem.
 * @param {Page} page
 */
function toLook(page) {
  const last = page.seen ? page.hops.at(-1) : undefined;
  const all = grouped(last?.headers ?? [], last?.url ?? "").flatMap((each) => each.headers);
  return all.filter((each) => each.notes.some((found) => found.look));
}

/**
 * @param {import("./headers.js").Explained} header
 * @param {Say} say
 * @param {(hostile: string) => string} [show]
 */
function lookSentences(header, say, show = (line) => line) {
  return header.notes.filter((found) => found.look).map((found) => say(found.key, found.values.map((each) => show(visible(each)))));
}

/** @param {string} line */
function short(line) {
  return line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line;
}

// ---- addresses and Markdown

/**
 * An address to be read: without a name and password in it.
 * @param {string} url
 */
function address(url) {
  const whole = URL.canParse(url) ? new URL(url) : undefined;
  return visible(whole && (whole.username || whole.password) ? withoutUser(whole).href : url);
}

/** @param {string} url */
function parsed(url) {
  const whole = URL.canParse(url) ? new URL(url) : undefined;
  return whole && /^https?:$/u.test(whole.protocol) ? withoutUser(whole) : undefined;
}

/** @param {URL} url */
function withoutUser(url) {
  const bare = new URL(url);
  bare.username = bare.password = "";
  return bare;
}

/**
 * Host, port and address of the server that answered, as curl takes them; empty where it is not known.
 * @param {Hop} hop
 */
function resolved(hop) {
  const url = parsed(hop.url);
  if (!url || !/^[\da-f.:]+$/iu.test(hop.ip) || /^\[|^[\d.]+$/u.test(url.hostname)) return "";
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}:${hop.ip.includes(":") ? `[${hop.ip}]` : hop.ip}`;
}

/**
 * @param {string} name
 * @param {string} value
 */
function oneHeader(name, value) {
  const said = value.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return said ? `${name}: ${said}` : `${name};`;
}

/**
 * Text as code within a line, whatever it holds.
 * @param {string} line
 */
function code(line) {
  const ticks = "`".repeat(longest(line, /`+/gu) + 1);
  return ticks.length > 1 || /^ | $/u.test(line) ? `${ticks} ${line} ${ticks}` : `${ticks}${line}${ticks}`;
}

/** @param {string[]} lines */
function fenced(lines) {
  const fence = "`".repeat(Math.max(3, longest(lines.join("\n"), /`+/gu) + 1));
  return `${fence}http\n${lines.join("\n")}\n${fence}`;
}

/**
 * @param {string} line
 * @param {RegExp} pattern
 */
function longest(line, pattern) {
  return Math.max(0, ...Array.from(line.matchAll(pattern), ([each]) => each.length));
}
