// What every page has: times in the reader's zone, dialogs, keys, unsent input, and parts that are loaded in place.

import { localize } from "./clock.js";
import { keepDrafts } from "./draft.js";
import { listen } from "./keys.js";

localize(document);
keepDrafts();
listen();

// A link that opens a dialog leads to the same as a page where no script runs, or where one asks for another tab.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const dialog = opener && document.getElementById(opener.dataset.opens);
  if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  dialog.showModal();
});

// A press beside a dialog closes it; what was typed in it stays.
document.addEventListener("click", (event) => {
  if (event.target.matches("dialog[open]")) event.target.close();
});

// What htmx puts into a page gets its times, too; what cannot be loaded says so where it would have been.
document.addEventListener("htmx:after:swap", () => localize(document));
for (const kind of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(kind, (event) => {
    const failed = event.target.closest?.("[data-fragment]")?.querySelector("[data-failed]");
    if (failed) failed.hidden = false;
  });
}
