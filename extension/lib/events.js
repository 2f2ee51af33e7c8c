// @ts-check
/** What Chrome tells of requests and navigations, in the shape that chain.js reads. Pure: the listeners are in background/. */

/** @typedef {[name: string, value: string]} Header */

/**
 * Of `webRequest`: request = onBeforeRequest, redirect = onBeforeRedirect, headers = onHeadersReceived,
 * started = onResponseStarted, completed = onCompleted, failed = onErrorOccurred.
 * @typedef {object} RequestEvent
 * @property {"request"|"redirect"|"headers"|"started"|"completed"|"failed"} kind
 * @property {number} tab
 * @property {string} id           the same for all hops of a chain
 * @property {number} time         milliseconds since 1970
 * @property {string} url
 * @property {string} [to]         of a redirect
 * @property {number} [status]
 * @property {Header[]} [headers]
 * @property {string} [ip]
 * @property {boolean} [cached]    unknown where it is left out
 * @property {string} [error]      such as `net::ERR_ABORTED`
 */

/**
 * Of `webNavigation`: began = onBeforeNavigate, committed = onCommitted, unreached = onErrorOccurred,
 * moved = onHistoryStateUpdated and onReferenceFragmentUpdated.
 * @typedef {object} PageEvent
 * @property {"began"|"committed"|"unreached"|"moved"} kind
 * @property {number} tab
 * @property {number} frame          0 for the page itself
 * @property {number} time
 * @property {string} url
 * @property {string} [document]     of which document; of a navigation that brings none no document of this tab
 * @property {string} [lifecycle]    `active`, or `prerender` while nobody sees it
 * @property {string[]} [qualifiers] such as `forward_back`
 * @property {string} [error]
 * @property {boolean} [allowed]     false where the companion has no permission for the address
 */

/**
 * Of `tabs`: removed = onRemoved; replaced = onReplaced (a discarded tab has another id then);
 * open = all that are open, told when the worker starts.
 * @typedef {{kind: "removed", tab: number} | {kind: "replaced", tab: number, was: number} | {kind: "open", tabs: number[]}} TabEvent
 */

/** @typedef {RequestEvent | PageEvent | TabEvent} Event */

/**
 * As Chrome gives it to a listener of `webRequest`.
 * @typedef {object} RequestDetails
 * @property {string} requestId
 * @property {number} tabId
 * @property {string} type
 * @property {string} url
 * @property {number} timeStamp
 * @property {string} [redirectUrl]
 * @property {number} [statusCode]
 * @property {{name: string, value?: string, binaryValue?: ArrayLike<number>}[]} [responseHeaders]
 * @property {string} [ip]
 * @property {boolean} [fromCache]
 * @property {string} [error]
 */

/**
 * As Chrome gives it to a listener of `webNavigation`.
 * @typedef {object} PageDetails
 * @property {number} tabId
 * @property {number} frameId
 * @property {string} url
 * @property {number} timeStamp
 * @property {string} [documentId]
 * @property {string} [documentLifecycle]
 * @property {string[]} [transitionQualifiers]
 * @property {string} [error]
 */

/**
 * What a request's listener was told; undefined for what is no page of a tab.
 * @param {RequestEvent["kind"]} kind
 * @param {RequestDetails} details
 * @returns {RequestEvent | undefined}
 */
export function ofRequest(kind, details) {
  if (details.tabId < 0 || details.type !== "main_frame") return undefined;
  const { requestId: id, tabId: tab, timeStamp: time, url, redirectUrl: to, statusCode: status, ip, fromCache: cached, error } = details;
  const headers = details.responseHeaders?.map((each) => /** @type {Header} */ ([each.name, each.value ?? bytes(each.binaryValue)]));
  return { kind, tab, id, time, url, to, status, headers, ip, cached, error };
}

/**
 * What a navigation's listener was told.
 * @param {PageEvent["kind"]} kind
 * @param {PageDetails} details
 * @param {boolean} [allowed]   whether the companion has permission for the address
 * @returns {PageEvent}
 */
export function ofPage(kind, details, allowed) {
  const { tabId: tab, frameId: frame, timeStamp: time, url, documentId: document, documentLifecycle: lifecycle, transitionQualifiers: qualifiers, error } = details;
  return { kind, tab, frame, time, url, document, lifecycle, qualifiers, error, allowed };
}

/**
 * A value that is no UTF-8, one letter a byte.
 * @param {ArrayLike<number>} [value]
 */
function bytes(value) {
  return Array.from(value ?? [], (byte) => String.fromCharCode(byte)).join("");
}
