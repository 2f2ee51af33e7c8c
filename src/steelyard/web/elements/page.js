// What every page has: times in the reader's zone, and single keys for links that say which (data-key).

import { localize } from "./clock.js";

localize(document);

const OFF = "single-keys-off";

/** Moves the focus among the links of the page's list. */
function step(by) {
  const links = [...document.querySelectorAll("[data-list] a")];
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by]?.focus();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || localStorage.getItem(OFF)) return;
  const marked = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (marked) marked.click();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else return;
  event.preventDefault();
}

function showSwitch() {
  const button = document.querySelector("[data-keys]");
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(!localStorage.getItem(OFF)));
  button.parentElement.hidden = false;
  button.addEventListener("click", () => {
    if (localStorage.getItem(OFF)) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
    show();
  });
  show();
}

document.addEventListener("keydown", press);
showSwitch();
