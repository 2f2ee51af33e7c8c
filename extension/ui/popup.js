// @ts-check
/** What a press of the toolbar's button opens: whose the site is, what it answered in a line, and what one does next. */
import { visible } from "../lib/formats.js";
import { readLink } from "../lib/link.js";
import { telling } from "../lib/headers.js";
import { pageIn, rules, watch } from "../store/pages.js";
import { copies } from "./copies.js";
import { line, wayLine } from "./line.js";
import { el, fill, redrawn, say, tabIn } from "./parts.js";
import { drawSite } from "./site.js";

void rules();
const found = tabIn();
fill();
const tab = await found;
const address = tab?.url || (tab?.id !== undefined && (await pageIn(tab.id)).page?.at) || "";
const link = readLink(address);

const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
part("host").textContent = titleOf(address);
part("host").title = visible(address.split("#")[0]);
part("options").addEventListener("click", () => chrome.runtime.openOptionsPage());
part("panel").addEventListener("click", openPanel);
if (tab) draw(tab);

/** @param {chrome.tabs.Tab} tab */
function draw(tab) {
  if ("code" in link) {
    part("connect").hidden = false;
    void import("./server.js").then(({ drawConnect }) => drawConnect(part("connect"), address));
    return;
  }
  drawSite(part("site"), tab);
  redrawn(part("glance"), [(act) => watch(Number(tab.id), act)], () => glance(Number(tab.id)));
  void import("./offers.js").then(({ drawOffers }) => drawOffers(part("held"), tab));
}

/**
 * Statuses in a line, and the headers that tell most.
 * @param {number} tab
 */
async function glance(tab) {
  const { page } = await pageIn(tab);
  if (!page?.seen) return [];
  const { headers, url } = page.hops[page.hops.length - 1];
  return [
    wayLine(page),
    page.error !== "" && el("p", { class: "notice bad" }, say("load_broken", [visible(page.error)])),
    copies(page),
    el("dl", { class: "headers" }, telling(headers, url).map((each) => line(each, [meaning(each)]))),
  ];
}

/**
 * What stands out in a value, else what its header is for.
 * @param {import("../lib/headers.js").Explained} header
 */
function meaning({ key, notes }) {
  const [note] = [...notes].sort((one, other) => Number(other.look) - Number(one.look));
  return note ? say(note.key, note.values.map(visible)) : key && say(key);
}

/** Chrome opens a panel only at once after a press: nothing may be waited for before. */
function openPanel() {
  if (tab) void chrome.sidePanel.open({ windowId: tab.windowId }).then(() => window.close());
}

/** @param {string} url */
function titleOf(url) {
  return /^https?:/u.test(url) && URL.canParse(url) ? visible(new URL(url).host) : say("ui_no_site");
}
