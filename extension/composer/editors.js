// @ts-check
/** Which element of a page is an editor, whether it is an internal note, and what sends it: selectors are data. */

/**
 * @typedef {object} Kind
 * @property {string[]} hosts   `*` for all others
 * @property {string} editor    what the editor is known by
 * @property {string} other     what is taken for one where that is not found
 * @property {string} note      an editor of internal notes
 * @property {string} send      what may send
 * @property {string} says      what it says then, as a regular expression
 */

/** @type {Kind[]} */
export const KINDS = [
  {
    hosts: ["app.intercom.com", "app.eu.intercom.com", "app.au.intercom.com"],
    editor: ".embercom-prosemirror-composer-editor, [data-conversation-reply-composer] [contenteditable='true']",
    other: "[contenteditable='true'], [contenteditable='']",
    note: ".o__note .embercom-prosemirror-composer-editor, .o__note [contenteditable='true']",
    send: "button, [role='button'], [role='menuitem']",
    says: "^(send|reply|envoyer|répondre)",
  },
  {
    hosts: ["*"],
    editor: "[contenteditable='true'], [contenteditable=''], [contenteditable='plaintext-only'], textarea",
    other: "",
    note: "",
    send: "button, [role='button'], input[type='submit']",
    says: "^(send|reply|post|comment|publish|submit|envoyer|répondre|publier|commenter)",
  },
];

/** Rewriting while one types loses text there. */
const UNSAFE = "[data-lexical-editor]";

/**
 * @param {string} host
 * @param {Kind[]} kinds   configured ones first
 */
export function kindOf(host, kinds) {
  return kinds.find(({ hosts }) => hosts.includes(host)) ?? kinds.find(({ hosts }) => hosts.includes("*")) ?? KINDS[KINDS.length - 1];
}

/**
 * The editor that an event happened in.
 * @param {Event} event
 * @param {Kind} kind
 * @returns {Element | undefined}
 */
export function editorOf(event, kind) {
  const target = event.composedPath()[0];
  return target instanceof Node ? editorAround(target, kind) : undefined;
}

/**
 * @param {Node} node
 * @param {Kind} kind
 * @returns {Element | undefined}
 */
export function editorAround(node, kind) {
  const element = node instanceof Element ? node : node.parentElement;
  return (element && (element.closest(kind.editor) ?? (kind.other && element.closest(kind.other)))) || undefined;
}

/**
 * @param {ParentNode} around
 * @param {Kind} kind
 * @returns {Element[]}
 */
export function editorsIn(around, kind) {
  const known = around.querySelectorAll(kind.editor);
  return [...(known.length || !kind.other ? known : around.querySelectorAll(kind.other))];
}

/**
 * @param {Element} editor
 * @param {Kind} kind
 */
export function isNote(editor, kind) {
  return kind.note !== "" && editor.matches(kind.note);
}

/** @param {Element} editor */
export function isSafeToWrite(editor) {
  return !editor.matches(UNSAFE);
}

/**
 * The editors that what was clicked sends: those nearest to it.
 * @param {Event} event
 * @param {Kind} kind
 * @param {Element | undefined} last   the editor used last, where none is found: it is in a shadow
 * @returns {Element[]}
 */
export function sentBy(event, kind, last) {
  const target = event.composedPath()[0];
  const button = target instanceof Element ? target.closest(kind.send) : null;
  if (!button || editorAround(button, kind) || !new RegExp(kind.says, "iu").test(label(button))) return [];
  for (let around = above(button); around; around = above(around)) {
    const found = editorsIn(around, kind);
    if (found.length) return found;
  }
  return last?.isConnected ? [last] : [];
}

/**
 * @param {Element} element
 * @returns {Element | null}   out of a shadow as well
 */
function above(element) {
  const tree = element.getRootNode();
  return element.parentElement ?? (tree instanceof ShadowRoot ? tree.host : null);
}

/** @param {Element} button */
function label(button) {
  const said = button.getAttribute("aria-label") ?? (button instanceof HTMLInputElement ? button.value : button.textContent?.trim() || button.getAttribute("title"));
  return (said ?? "").trim();
}

/**
 * What of the selectors is found on a page: without a word of what is written there.
 * @param {Element} editor   one in use
 * @param {Kind} kind
 */
export function health(editor, kind) {
  return { editor: editor.matches(kind.editor), note: isNote(editor, kind), writes: isSafeToWrite(editor) };
}
