// @ts-check
/** What one takes along of a page: copied as text, Markdown or a command, or put into the conversation's note. */
import { curl, markdown, text } from "../lib/formats.js";
import { copyButton, el, live, say } from "./parts.js";

/** @typedef {import("../lib/chain.js").Page} Page */

/** What the browser may have sent along: the request itself is not looked at. @type {() => [name: string, value: string][]} */
const SENT = () => [
  ["User-Agent", navigator.userAgent],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["Accept-Language", navigator.languages.join(",")],
  ["Cache-Control", "no-cache"],
];

/** @param {Page} page */
export function copies(page) {
  return el("div", { class: "actions", role: "group", "aria-label": say("copy_group") },
    el("span", { class: "quiet" }, say("copy_group")),
    copyButton(say("copy_text"), () => text(page, say), { "data-key": "copy text" }),
    copyButton("Markdown", () => markdown(page, say), { "data-key": "copy markdown" }),
    curl(page) !== "" && copyButton("curl", () => curl(page), { "data-key": "copy curl" }));
}

/**
 * A command with the headers that are chosen.
 * @param {Page} page
 */
export function command(page) {
  const all = SENT();
  /** @type {() => [name: string, value: string][]} */
  const chosen = () => all.filter((_, place) => boxes[place].checked);
  const shown = el("pre", { class: "log" }, curl(page));
  const boxes = all.map(() => el("input", { type: "checkbox", onchange: () => void (shown.textContent = curl(page, chosen())) }));
  return curl(page) !== "" && el("details", { "data-key": "curl" },
    el("summary", { class: "quiet" }, say("copy_curl_with")),
    el("fieldset", {}, el("legend", { class: "quiet" }, say("copy_curl_choose")),
      all.map(([name, value], place) => el("label", { class: "check" }, boxes[place], el("span", {}, `${name}: `, el("small", {}, value))))),
    shown,
    el("div", { class: "actions" }, copyButton(say("copy_curl"), () => curl(page, chosen()))));
}

/**
 * A button that has the composer of the last inbox take the page's headers as a note.
 * @param {Page} page
 */
export function noteButton(page) {
  const said = el("p", { class: "notice", hidden: true });
  const button = el("button", { type: "button", class: "small", "data-key": "note", onclick: async () => {
    button.disabled = true;
    const { noteOf } = await import("./inbox.js");
    const done = await noteOf(page);
    button.disabled = false;
    said.textContent = say(done.say, done.values);
    said.className = `notice ${done.ok ? "good" : "warn"}`;
    said.hidden = false;
    live(said.textContent);
  } }, say("copy_note"));
  return { button, said };
}
