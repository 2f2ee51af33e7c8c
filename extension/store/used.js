// @ts-check
/** What was used last, for this session of the browser: a tab's editor, and the run that the panel shows of a site. */
/** @typedef {{document: string, editor?: boolean, note?: boolean, writes?: boolean}} Used */

/** One after the other. @type {Promise<unknown>} */
let last = Promise.resolve();

/** @param {number} tab */
const key = (tab) => `composer ${tab}`;

/**
 * @param {number} tab
 * @param {Used} used
 */
export async function keep(tab, used) {
  await chrome.storage.session.set({ [key(tab)]: used });
  return true;
}

/**
 * Whether a page is the one whose editor was used last: the first that asks, where none was used.
 * @param {number} tab
 * @param {string} document
 * @returns {Promise<boolean>}
 */
export function claim(tab, document) {
  const mine = last.then(async () => {
    const used = /** @type {Used | undefined} */ ((await chrome.storage.session.get(key(tab)))[key(tab)]);
    const frames = await chrome.webNavigation.getAllFrames({ tabId: tab });
    if (used?.document !== document && frames?.some((frame) => frame.documentId === used?.document)) return false;
    return keep(tab, { ...used, document });
  });
  last = mine.catch(() => false);
  return mine;
}

/** @param {number} tab   that is gone */
export function forget(tab) {
  last = last.then(() => chrome.storage.session.remove(key(tab))).catch(() => undefined);
}

/** The tabs in which an editor was used. */
export async function tabs() {
  const names = Object.keys(await chrome.storage.session.get());
  return names.filter((name) => name.startsWith("composer ")).map((name) => Number(name.slice("composer ".length)));
}

/** @param {string} server @param {string} site */
const runKey = (server, site) => `run ${server} ${site}`;

/**
 * @param {string} server
 * @param {string} site        its name
 * @param {number | null} run  null for none
 */
export async function keepRun(server, site, run) {
  if (run === null) await chrome.storage.session.remove(runKey(server, site));
  else await chrome.storage.session.set({ [runKey(server, site)]: run });
}

/** @param {string} server @param {string} site @returns {Promise<number | null>} */
export async function runOf(server, site) {
  const { [runKey(server, site)]: run } = await chrome.storage.session.get(runKey(server, site));
  return run ?? null;
}
