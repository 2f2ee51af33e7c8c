// Keys: each presses the link or button that says which (data-key), alone or after another ("g d"). The sheet lists them
// from the page itself. They can be turned off, and never act while somebody types.

const OFF = "single-keys-off";
const PATIENCE = 1500; // milliseconds between the keys of a sequence
let begun = { keys: "", at: 0 };

function off() {
  if (document.body.dataset.singleKeys === "off") return true;
  try {
    return localStorage.getItem(OFF) !== null;
  } catch {
    return false;
  }
}

/** The element that keys press: one that can be seen or stands in a menu, of an open dialog before the page. */
function pressed(keys) {
  const scope = document.querySelector("dialog:modal") ?? document;
  return [...scope.querySelectorAll(`[data-key="${CSS.escape(keys)}"]`)].find((each) => each.checkVisibility() || each.closest("[popover]"));
}

/** Moves the focus among the links of the page's lists. */
function step(by) {
  const links = [...document.querySelectorAll("[data-list] a")].filter((each) => each.checkVisibility());
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by]?.focus();
}

// Focused before it is pressed, so that a dialog gives the focus back to where it was opened.
function act(element) {
  element.focus();
  if (!element.matches("input, select, textarea")) element.click();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || off()) return;
  const keys = Date.now() - begun.at < PATIENCE ? `${begun.keys} ${event.key}` : event.key;
  const element = pressed(keys) ?? pressed(event.key);
  begun = { keys: event.key, at: Date.now() };
  if (element) {
    begun.at = 0;
    act(element);
  } else if (document.querySelector("dialog:modal")) return;
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else return;
  event.preventDefault();
}

/** In a list, and from the field above it, the arrows go up and down. */
function walk(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by && event.target.closest("[data-walk]")) {
    event.preventDefault();
    step(by);
  }
}

/** Fills the sheet: what each key presses, as the page calls it. */
function fill(sheet) {
  const rows = new Map();
  for (const each of document.querySelectorAll("[data-key]")) {
    const label = each.dataset.keyLabel ?? each.getAttribute("aria-label") ?? textOf(each);
    if (!rows.has(each.dataset.key) && !each.closest("[hidden]")) rows.set(each.dataset.key, label);
  }
  if (document.querySelector("[data-list] a")) {
    rows.set("j", sheet.dataset.next);
    rows.set("k", sheet.dataset.previous);
  }
  sheet.replaceChildren(...[...rows].flatMap(([keys, label]) => {
    const [term, said] = [document.createElement("dt"), document.createElement("dd")];
    for (const key of keys.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    said.textContent = label;
    return [term, said];
  }));
}

function textOf(element) {
  const copy = element.cloneNode(true);
  for (const each of copy.querySelectorAll("kbd, svg, [aria-hidden]")) each.remove();
  return copy.textContent.trim().replace(/\s+/g, " ");
}

function showSwitch() {
  for (const each of document.querySelectorAll("[data-with-keys]")) each.hidden = false;
  const button = document.querySelector("[data-keys]");
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(!off()));
  button.addEventListener("click", () => {
    if (localStorage.getItem(OFF)) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
    show();
  });
  show();
}

/** Starts to listen. */
export function listen() {
  document.addEventListener("keydown", walk);
  document.addEventListener("keydown", press);
  const sheet = document.querySelector("[data-sheet]");
  sheet?.closest("dialog").addEventListener("beforetoggle", () => fill(sheet));
  showSwitch();
}
