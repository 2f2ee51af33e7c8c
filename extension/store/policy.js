// @ts-check
/** What the company's policy says. For seconds after its own start the browser does not answer: what it said the last time is kept for that. */

/** The key in `local` of the policy that was seen last, and how long the present one is waited for, in milliseconds. */
const SEEN = "policy";
const SOON = 50;
/** Whether the browser has said in this page or worker what the policy is. */
let answered = false;

/**
 * What the company's policy says; nothing where there is none. Until the browser answers, what it said the last time counts.
 * @returns {Promise<Record<string, unknown>>}
 */
export function policy() {
  const said = chrome.storage.managed.get().catch(() => ({})).then(keepSeen);
  return answered ? said : Promise.race([said, new Promise((go) => setTimeout(go, SOON)).then(lastSeen)]);
}

/** @param {Record<string, unknown>} said */
async function keepSeen(said) {
  if (!answered && JSON.stringify(await lastSeen()) !== JSON.stringify(said)) await chrome.storage.local.set({ [SEEN]: said });
  answered = true;
  return said;
}

/** @returns {Promise<Record<string, unknown>>} */
async function lastSeen() {
  return (await chrome.storage.local.get(SEEN))[SEEN] ?? {};
}

/**
 * The same for what is drawn anew whenever `watch` says so: nothing is waited for, and an answer that differs is told then.
 * @returns {Promise<Record<string, unknown>>}
 */
export function policySoon() {
  const said = policy();
  return answered ? said : lastSeen();
}

/**
 * @param {() => void} act   when it may say something else
 * @returns {() => void}     ends it
 */
export function watch(act) {
  /** @param {Record<string, unknown>} changes @param {string} place */
  const heard = (changes, place) => (place === "managed" || (place === "local" && SEEN in changes)) && act();
  chrome.storage.onChanged.addListener(heard);
  return () => chrome.storage.onChanged.removeListener(heard);
}
