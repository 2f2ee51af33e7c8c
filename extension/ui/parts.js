// @ts-check
/** What every page of the extension is made of. Whatever comes from a site is text here, never HTML. */

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Child | readonly Child[]} Children */

const SVG = "http://www.w3.org/2000/svg";
const IN_SVG = new Set(["svg", "rect", "path", "line"]);
const SHOWN = 2000;

/**
 * An element. An attribute that is `true` is there without a value, one that is false, null or undefined is not there, and
 * a function listens (`onclick`).
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name | "svg" | "rect" | "path" | "line"} name
 * @param {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} [attributes]
 * @param {Children[]} children   texts and elements
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function el(name, attributes = {}, ...children) {
  const made = /** @type {HTMLElementTagNameMap[Name]} */ (IN_SVG.has(name) ? document.createElementNS(SVG, name) : document.createElement(name));
  for (const [each, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(each.replace(/^on/u, ""), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(each, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((each) => each instanceof Node || (typeof each === "string" && each !== "")).map((each) => /** @type {Node | string} */ (each)));
  return made;
}

/**
 * A message in the browser's language; its key where there is none.
 * @param {string} key
 * @param {(string | number)[]} [values]   for $1, $2, …
 */
export function say(key, values = []) {
  return chrome.i18n.getMessage(key, values.map(String)) || key;
}

/**
 * Says what the elements of a page ask for: `data-say` their text, `data-say-label`, `data-say-title` and
 * `data-say-placeholder` these attributes. Sets the page's language.
 * @param {Document | Element} [root]
 */
export function fill(root = document) {
  document.documentElement.lang = say("ui_language");
  for (const each of root.querySelectorAll("[data-say]")) each.textContent = say(each.getAttribute("data-say") ?? "");
  for (const [name, attribute] of [["label", "aria-label"], ["title", "title"], ["placeholder", "placeholder"]]) {
    for (const each of root.querySelectorAll(`[data-say-${name}]`)) each.setAttribute(attribute, say(each.getAttribute(`data-say-${name}`) ?? ""));
  }
}

/**
 * A button that copies, and says for a moment that it did.
 * @param {string} label   what it copies
 * @param {() => string | Promise<string>} text   when it is pressed
 * @param {Record<string, string | boolean>} [attributes]
 */
export function copyButton(label, text, attributes = {}) {
  const button = el("button", { type: "button", class: "small", ...attributes, onclick: copied }, label);
  return button;

  async function copied() {
    const done = await Promise.resolve(text()).then((all) => navigator.clipboard.writeText(all)).then(() => "ui_copied", () => "ui_not_copied");
    button.textContent = done === "ui_copied" ? `✓ ${say(done)}` : say(done);
    live(`${label}: ${say(done)}`);
    setTimeout(() => (button.textContent = label), SHOWN);
  }
}

/**
 * Has a sentence read out by a screen reader, once it is done with what it reads.
 * @param {string} text
 */
export function live(text) {
  const region = document.querySelector("#live") ?? document.body.appendChild(el("p", { id: "live", class: "sr", role: "status" }));
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50);
}

/**
 * The tab that a page of the extension is about: the one in its address (`?tab=7`), else the active one of the window that
 * was used last. Undefined where there is none any more.
 * @param {string} [address]
 * @returns {Promise<chrome.tabs.Tab | undefined>}
 */
export async function tabIn(address = location.href) {
  const wanted = new URL(address).searchParams.get("tab");
  if (wanted) return chrome.tabs.get(Number(wanted)).catch(() => undefined);
  const last = await chrome.windows.getLastFocused({ populate: true, windowTypes: ["normal"] }).catch(() => undefined);
  return last?.tabs?.find((tab) => tab.active);
}

/**
 * A text of which a long one is folded: its beginning is shown, and the rest on a press.
 * @param {string} text
 * @param {number} [most]   characters
 */
export function folded(text, most = 200) {
  if (text.length <= most * 1.2) return text;
  const rest = el("span", {}, "… ");
  const more = el("button", { type: "button", class: "more", onclick: () => rest.replaceWith(text.slice(most)) }, say("ui_more", [(text.length - most).toLocaleString(say("ui_language"))]));
  rest.append(more);
  return el("span", {}, text.slice(0, most), rest);
}

/**
 * Draws what a container holds, and again whenever a watch says so.
 * @param {Element} container
 * @param {((act: () => void) => () => void)[]} watches   each gives back what ends it
 * @param {() => Promise<Children[]>} read
 * @returns {() => void}   ends it
 */
export function redrawn(container, watches, read) {
  let latest = 0;
  const again = async () => {
    const mine = (latest += 1);
    const made = await read();
    if (mine === latest) draw(container, made.flat());
  };
  const ends = watches.map((watch) => watch(again));
  void again();
  return () => {
    latest = -1;
    for (const end of ends) end();
  };
}

/**
 * Draws once. What was opened stays open, and what had the focus has it again, by its `data-key`.
 * @param {Element} container
 * @param {Children} children
 */
export function draw(container, children) {
  const made = el("div", {}, children);
  const focused = container.contains(document.activeElement) ? document.activeElement?.closest("[data-key]")?.getAttribute("data-key") : null;
  for (const was of container.querySelectorAll("details[data-key]")) {
    const is = made.querySelector(`details[data-key="${CSS.escape(was.getAttribute("data-key") ?? "")}"]`);
    if (is) is.toggleAttribute("open", was.hasAttribute("open"));
  }
  container.replaceChildren(...made.childNodes);
  performance.mark("drawn", { detail: container.id });
  if (!focused) return;
  const again = container.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  const takes = again?.matches("details") ? again.querySelector("summary") : again;
  if (takes instanceof HTMLElement) takes.focus();
}
