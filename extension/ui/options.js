// @ts-check
/** The options page: every section shows what counts now and from where, and says at once what a choice did. */
import { imported, serverOf } from "../lib/settings.js";
import { rules } from "../store/pages.js";
import { choose, own, replace, settings, watch } from "../store/settings.js";
import { connecting, disconnect, refresh, team } from "../store/team.js";
import { because, beginEditors, beginTrusted, did, drawEditors, drawTrusted, keeping, level, part, wrong } from "./options_settings.js";
import { draw, el, fill, live, say } from "./parts.js";
import { connectForm, problemNotice } from "./server.js";
import { SURE } from "./site.js";

/** How what is set is named where it cannot be used. @type {Record<string, string>} */
const NAMES = { trusted: "options_trusted", notes: "options_notes_too", editors: "options_editors", server: "options_address" };
/** How the parts of a rule are written. @type {Record<string, string>} */
const SHAPES = { text: '"…"', texts: '["…"]', "true or false": "true, false", object: "{ … }", list: "[ … ]", choice: '"host", "cdn"; 1, 2, 3', "address of a page": "https://…" };
/** Refusals that are told in the same words. @type {Record<string, string>} */
const ALIKE = { unseen: "empty", beyond: "address", wide: "address" };
const SECTIONS = ["connection", "trusted", "links", "editors", "access", "rules", "keys", "notes", "own"];
/** What is drawn: a link that is half typed is not drawn anew. */
let drawn = "";
const EVERY = { origins: ["<all_urls>"] };
const MANIFEST = chrome.runtime.getManifest();
const ALWAYS = new Set(MANIFEST.host_permissions);
const ALL = ["<all_urls>", "*://*/*", "http://*/*", "https://*/*"];
/** More than any settings have, in bytes. */
const LARGEST = 200_000;

const { id: here } = await chrome.windows.getCurrent();
fill();
document.title = `${say("options_title")} – Steelyard`;
part("sections").append(...SECTIONS.map((id) => el("li", {}, el("a", { href: `#${id}` }, say(`options_${id}`)))));
beginTrusted();
beginEditors();
beginOwn();
part("shortcuts").addEventListener("click", () => open("chrome://extensions/shortcuts"));
part("notes-open").addEventListener("click", openNotes);
part("welcomed").addEventListener("click", welcomed);
watch(() => void Promise.all([drawAll(), drawRules()]));
chrome.permissions.onAdded.addListener(() => void drawAll());
chrome.permissions.onRemoved.addListener(() => void drawAll());
addEventListener("focus", () => void drawKeys());
await drawAll();
await drawRules();
markSections();
if (location.hash.length > 1) document.querySelector(location.hash)?.scrollIntoView();

async function drawAll() {
  const all = await settings();
  drawTrusted(all);
  drawWrong(all);
  await Promise.all([drawConnection(all), drawEditors(all), drawAccess(), drawKeys(), drawWelcome(all)]);
}

/** What of the settings cannot be used, and where it comes from. @param {import("../lib/settings.js").Settings} all */
function drawWrong({ refused }) {
  const rows = refused.slice(0, 50).map(({ from, name, what, why }) => el("li", {}, level(from), " ", name && `${say(NAMES[name])} – `, because(why, what)));
  draw(part("wrong"), refused.length ? el("div", { class: "notice warn stack tight" }, el("p", {}, say("options_left_out", [refused.length])), el("ul", { class: "bullets" }, rows)) : null);
}

/** Three things to choose when the companion is new; each says when it is done. @param {import("../lib/settings.js").Settings} all */
async function drawWelcome({ trusted }) {
  const isNew = location.hash === "#welcome";
  part("welcome").hidden = !isNew;
  if (!isNew) return;
  const [known, everywhere] = await Promise.all([team(), chrome.permissions.contains({ origins: ["<all_urls>"] })]);
  draw(part("choices"), [
    choice("connect", known !== null, el("a", { class: "button small", href: "#connection" }, say("options_choice_connect_do"))),
    choice("every", everywhere, el("button", { type: "button", class: "small", "data-key": "every", onclick: giveEvery }, say("options_every_give"))),
    choice("trust", trusted.length > 0, el("a", { class: "button small", href: "#trusted" }, say("options_choice_trust_do"))),
  ]);
}

/** @param {string} name @param {boolean} done @param {HTMLElement} act */
function choice(name, done, act) {
  return el("li", { class: done && "is-done" }, el("h3", {}, say(`options_choice_${name}`), done && el("span", { class: "sr" }, say("options_choice_done"))), el("p", {}, say(`options_choice_${name}_what`)), !done && el("p", { class: "actions" }, act));
}

function welcomed() {
  history.replaceState(null, "", location.pathname + location.search);
  part("welcome").hidden = true;
  part("main").focus();
}

/** Chrome opens the panel only at once after a press: nothing may be waited for before. */
function openNotes() {
  void chrome.sidePanel.setOptions({ path: "ui/panel.html#notes" });
  if (here !== undefined) void chrome.sidePanel.open({ windowId: here });
}

/** Which section one reads stands out among their names. */
function markSections() {
  const links = new Map([...part("sections").querySelectorAll("a")].map((each) => [each.hash.slice(1), each]));
  const seen = new Set();
  const watcher = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) seen[isIntersecting ? "add" : "delete"](target.id);
    const now = SECTIONS.find((each) => seen.has(each));
    for (const [id, link] of links) id === now ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const id of SECTIONS) watcher.observe(part(id));
}

// ---- which Steelyard this browser is connected with, for whom and until when; else how to connect

/** @typedef {import("../lib/settings.js").Settings} Settings */
/** @typedef {import("../store/team.js").Team} Team */

/** @param {Settings} settings */
export async function drawConnection({ server }) {
  const [known, left] = await Promise.all([team(), connecting()]);
  const now = JSON.stringify([known && { ...known, checked_at: 0 }, server, left]);
  if (now === drawn) return;
  drawn = now;
  draw(part("connected"), known && !known.ended ? [...connected(known), left?.problem && problemNotice(left.problem)] : [known ? ended(known) : null, address(server), connectForm(left, { server: server.value || known?.server })].flat());
}

/** @param {Team} known */
function connected(known) {
  const { server, workspace, person, expires_at } = known;
  return [
    el("dl", { class: "facts" },
      fact("options_server", el("a", { href: server, target: "_blank", rel: "noreferrer" }, server)),
      fact("options_workspace", workspace.name),
      fact("options_person", person.name),
      fact("options_until", day(expires_at))),
    el("p", { class: "actions" },
      el("button", { type: "button", "data-key": "refresh", onclick: ask }, say("options_ask")),
      el("button", { type: "button", "data-key": "disconnect", onclick: () => away(known) }, say("connect_end", [new URL(server).host]))),
  ];
}

/** @param {string} key @param {import("./parts.js").Child} value */
function fact(key, value) {
  return value ? [el("dt", {}, say(key)), el("dd", {}, value)] : [];
}

/** @param {Team} known */
function ended({ server }) {
  return el("p", { class: "notice warn" }, say("team_ended", [server]));
}

/** Where the console is, so that it can be opened from here. @param {Settings["server"]} server */
function address({ value, from }) {
  if (from === "managed") return el("p", { class: "actions" }, el("b", { class: "mono" }, value), level(from), el("small", {}, say("options_server_managed")));
  const field = el("input", { id: "server", class: "mono", value, autocomplete: "off", spellcheck: "false", placeholder: "https://steelyard.example.com", "aria-describedby": "server-wrong" });
  const said = el("div", { id: "server-wrong" });
  return el("form", { class: "field", novalidate: true, onsubmit: keep },
    el("label", { for: "server" }, say("options_address")),
    el("div", { class: "row" }, field, el("button", {}, say("options_address_keep"))), said);

  /** @param {SubmitEvent} event */
  async function keep(event) {
    event.preventDefault();
    const found = field.value.trim() ? serverOf(field.value) : { origin: undefined };
    if ("why" in found) return wrong(said, field, [because(found.why, field.value)]);
    wrong(said, field, []);
    await keeping(choose("server", found.origin), say("options_address_kept"), () => choose("server", value || undefined));
  }
}

async function ask() {
  const answer = await refresh(true);
  did(answer?.ok === false ? say(answer.problem.say, answer.problem.values) : say("options_asked"));
}

/** @param {Team} known */
async function away({ server }) {
  await disconnect();
  did(say("connect_ended", [new URL(server).host]));
}

/** @param {string} time */
function day(time) {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? "" : new Intl.DateTimeFormat(say("ui_language"), { dateStyle: "long" }).format(at);
}

// ---- what the browser lets the companion do, and why each is asked for; what was given can be given back

export async function drawAccess() {
  const { origins = [] } = await chrome.permissions.getAll();
  const given = origins.filter((each) => !ALWAYS.has(each));
  const everywhere = given.some((each) => ALL.includes(each));
  const lacking = everywhere ? [] : [...ALWAYS].filter((each) => !origins.includes(each));
  draw(part("every"), [lacking.length > 0 && intercom(lacking), ...(everywhere ? everySite() : onClick())]);
  const others = given.filter((each) => !ALL.includes(each));
  draw(part("hosts"), others.length ? [el("h3", {}, say("options_hosts")), el("ul", { class: "rows" }, others.map(host))] : null);
  draw(part("permissions"), reasons());
}

/** The browser's own page can take away even what was given when installing. @param {string[]} lacking */
function intercom(lacking) {
  const again = el("button", { type: "button", class: "small primary", "data-key": "intercom", onclick: () => chrome.permissions.request({ origins: lacking }) }, say("options_intercom_allow"));
  return el("div", { class: "notice warn stack tight" }, el("p", {}, say("options_intercom_lacking")), el("p", { class: "actions" }, again));
}

function everySite() {
  return [
    el("p", {}, el("span", { class: "tag good" }, `✓ ${say("options_every")}`)),
    el("p", { class: "quiet" }, say("options_every_given")),
    el("p", { class: "actions" }, el("button", { type: "button", "data-key": "every", onclick: takeBack }, say("options_every_back"))),
  ];
}

function onClick() {
  return [
    el("p", {}, el("span", { class: "tag" }, say("options_on_click"))),
    el("p", { class: "quiet" }, say("options_on_click_what")),
    el("p", { class: "actions" }, el("button", { type: "button", "data-key": "every", class: "primary", onclick: giveEvery }, say("options_every_give"))),
  ];
}

/** To be called by a press. */
export async function giveEvery() {
  const given = await chrome.permissions.request(EVERY).catch(() => false);
  did(say(given ? "options_every_now" : "options_every_not"));
}

async function takeBack() {
  const { origins = [] } = await chrome.permissions.getAll();
  const gone = await chrome.permissions.remove({ origins: origins.filter((each) => ALL.includes(each)) }).catch(() => false);
  did(say(gone ? "options_every_gone" : "options_kept_by_policy"), gone ? () => chrome.permissions.request(EVERY) : undefined);
}

/** @param {string} pattern */
function host(pattern) {
  const shown = pattern.replace(/\/\*$/u, "");
  const back = async () => {
    const gone = await chrome.permissions.remove({ origins: [pattern] }).catch(() => false);
    did(say(gone ? "options_host_gone" : "options_kept_by_policy", [shown]), gone ? () => chrome.permissions.request({ origins: [pattern] }) : undefined);
  };
  return el("li", {}, el("span", { class: "grow" }, el("b", {}, shown)), el("button", { type: "button", class: "small", "aria-label": say("options_remove_name", [shown]), onclick: back }, say("options_remove")));
}

/** Each permission of the manifest with its sentence. */
function reasons() {
  const named = [...(MANIFEST.permissions ?? []), "hosts", "every"];
  return named.flatMap((each) => [
    el("dt", {}, each === "hosts" ? "*.intercom.com" : each === "every" ? say("options_every_name") : each),
    el("dd", {}, say(`options_permission_${each.toLowerCase()}`)),
  ]);
}

/** Opens a page of the browser's own. @param {string} url */
export function open(url) {
  void chrome.tabs.create({ url }).catch(() => live(say("options_not_opened")));
}

/** The keys as they are now: the user may have changed them. */
export async function drawKeys() {
  const all = await chrome.commands.getAll();
  const rows = all.map(({ name, description, shortcut }) =>
    el("li", {}, el("span", { class: "grow" }, name === "_execute_action" ? say("options_key_popup") : description || name || ""), shortcut ? el("kbd", {}, shortcut) : el("small", {}, say("options_key_none"))));
  draw(part("commands"), el("ul", { class: "rows" }, rows));
}

// ---- by which rules hosts are told apart, and what of them was refused

/** @typedef {import("../lib/ruleset.js").Rule} Rule */
/** @typedef {import("../store/pages.js").Refused} Refused */

export async function drawRules() {
  const { rules: all, from, version, refused } = await rules();
  const hosts = new Set(all.filter(({ kind }) => kind === "host").map(({ name }) => name)).size;
  const cdns = new Set(all.filter(({ kind }) => kind === "cdn").map(({ name }) => name)).size;
  draw(part("in-force"), [
    el("p", {}, level(from), " ", say("options_rules_now", [all.length, hosts, cdns]), version && ` · ${say("options_rules_version", [version])}`),
    refused.length > 0 && left(refused),
    el("details", { "data-key": "rules" }, el("summary", {}, say("options_rules_list")), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("options_rules_list") }, table(all))),
  ]);
}

/** @param {Refused[]} refused */
function left(refused) {
  return el("div", { class: "notice warn stack tight" },
    el("p", {}, say("options_rules_refused", [refused.length])),
    el("ul", { class: "bullets" }, refused.slice(0, 50).map((each) => el("li", {}, level(each.from), " ", why(each)))));
}

/** @param {Refused} refused */
function why({ rule, field, why, what }) {
  const reason = why in SHAPES ? say("options_rule_shape", [SHAPES[why]]) : say(`options_rule_${(ALIKE[why] ?? why).replaceAll(" ", "_")}`, [what]);
  return [rule, field].filter(Boolean).length ? say("options_rule_at", [[rule, field].filter(Boolean).join(" · "), reason]) : reason;
}

/** @param {Rule[]} all */
function table(all) {
  const heads = ["options_rule_name", "options_rule_kind", "options_rule_sure", "options_rule_signals"];
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((each) => el("th", { scope: "col" }, say(each))))), el("tbody", {}, all.map(row)));
}

/** @param {Rule} rule */
function row(rule) {
  const signals = [...rule.headers.map(([name]) => name), ...rule.networks.map(({ written }) => written), ...rule.names, ...rule.ns];
  const shown = signals.slice(0, 6).join(", ") + (signals.length > 6 ? ` … +${signals.length - 6}` : "");
  return el("tr", {},
    el("th", { scope: "row" }, rule.name, rule.ours && [" ", el("span", { class: "tag good" }, `✓ ${say("options_rule_ours")}`)]),
    el("td", {}, rule.kind === "cdn" ? "CDN" : say("site_host")),
    el("td", {}, say(SURE[rule.confidence])),
    el("td", { class: "mono" }, shown));
}

// ---- one's own settings: to a file, from a file, and all away, each with a way back

/** Hears the buttons. */
export function beginOwn() {
  part("export").addEventListener("click", save);
  part("reset").addEventListener("click", reset);
  part("import").addEventListener("change", (/** @type {any} */ event) => void take(event.target));
}

async function save() {
  const text = `${JSON.stringify(await own(), null, 2)}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href: url, download: "steelyard-companion.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  did(say("options_exported"));
}

/** What the file says takes the place of one's own settings; what of it cannot be used is told. @param {HTMLInputElement} input */
async function take(input) {
  const [file] = input.files ?? [];
  const text = file && file.size <= LARGEST ? await file.text() : "";
  input.value = "";
  if (!file) return;
  const found = file.size > LARGEST ? { why: /** @type {const} */ ("many") } : imported(text);
  if ("why" in found) return wrong(part("import-wrong"), input, [say("options_import_not", [file.name, because(found.why)])]);
  wrong(part("import-wrong"), undefined, []);
  const before = await own();
  const left = found.settings.refused.map(({ what, why }) => because(why, what));
  if (await keeping(replace(found.own), say("options_imported", [file.name]), () => replace(before))) part("import-wrong").replaceChildren(...left.map((each) => el("p", { class: "error" }, each)));
}

async function reset() {
  const before = await own();
  await keeping(replace({}), say("options_was_reset"), () => replace(before));
}
