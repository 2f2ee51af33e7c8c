// @ts-check
/** Writes in an editor, the way that editors take as the user's own: a stretch anew, what was pasted or dropped, a text of the companion. */
import { defang } from "../lib/defang.js";
import { isTrustedTarget } from "../lib/trust.js";
import { editorAround, editorsIn, isNote } from "./editors.js";
import { activeIn, blocksIn, isField, linesOf, selectionIn } from "./line.js";
import { edits, said, unlinked } from "./plan.js";

/** @typedef {import("./line.js").Line} Line */
/** @typedef {import("./plan.js").Piece} Piece */

let writing = false;

/** Whether the paste that is heard is one of ours. */
export const isWriting = () => writing;

/**
 * Replaces a stretch of a line; the caret stays at its place in the text.
 * @param {Element} root
 * @param {Line} line
 * @param {{start: number, end: number, pieces: Piece[]}} edit
 * @param {boolean} typed   without links, as if it were typed: an editor may make a link of a pasted address
 */
export function write(root, line, { start, end, pieces }, typed = false) {
  if (isField(line.block)) return field(line.block, start, end, said(pieces));
  const selection = selectionIn(root);
  if (!selection) return;
  const moved = said(pieces).length - (end - start);
  const back = [place(line, selection.anchorNode, selection.anchorOffset), place(line, selection.focusNode, selection.focusOffset)];
  const range = line.range(start, end);
  selection.setBaseAndExtent(range.startContainer, range.startOffset, range.endContainer, range.endOffset);
  tell();
  if (typed) document.execCommand("insertText", false, said(pieces));
  else if (!paste(root, said(pieces), html(pieces))) plain(pieces, line.links.length > 0);
  restore(line, back.map((at) => (at.index >= end ? { ...at, index: at.index + moved } : at)));
}

/**
 * @param {HTMLTextAreaElement | HTMLInputElement} element
 * @param {number} start
 * @param {number} end
 * @param {string} text
 */
function field(element, start, end, text) {
  const { selectionStart, selectionEnd } = element;
  const moved = text.length - (end - start);
  const after = (/** @type {number | null} */ at) => ((at ?? 0) >= end ? (at ?? 0) + moved : Math.min(at ?? 0, start + text.length));
  element.setSelectionRange(start, end);
  document.execCommand("insertText", false, text);
  element.setSelectionRange(after(selectionStart), after(selectionEnd));
}

/**
 * Hands a text over as if it were pasted at what is selected.
 * @param {Element} root
 * @param {string} text
 * @param {string} markup
 * @param {File[]} files
 * @returns {boolean}   whether the editor took it
 */
export function paste(root, text, markup, files = []) {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  if (markup) clipboardData.setData("text/html", markup);
  for (const file of files) clipboardData.items.add(file);
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true, composed: true });
  writing = true;
  try {
    root.dispatchEvent(event);
  } finally {
    writing = false;
  }
  return event.defaultPrevented;
}

/** The selection is said at once: the next key must find it known. */
export function tell() {
  document.dispatchEvent(new Event("selectionchange"));
}

/**
 * Where no editor takes pastes, as the browser itself writes.
 * @param {Piece[]} pieces
 * @param {boolean} linked
 */
function plain(pieces, linked) {
  if (linked) document.execCommand("unlink");
  if (pieces.some(({ href }) => href)) document.execCommand("insertHTML", false, html(pieces));
  else document.execCommand("insertText", false, said(pieces));
}

/** @param {Piece[]} pieces */
function html(pieces) {
  const holder = document.implementation.createHTMLDocument("");
  for (const { text, href } of pieces) {
    const element = holder.createElement(href ? "a" : "span");
    if (href) element.setAttribute("href", href);
    element.textContent = text;
    holder.body.append(element);
  }
  return holder.body.innerHTML;
}

/** @typedef {{node: Node | null, offset: number, index: number}} Place */

/**
 * @param {Line} line
 * @param {Node | null} node
 * @param {number} offset
 * @returns {Place}
 */
function place(line, node, offset) {
  return { node, offset, index: line.index(node, offset) };
}

/**
 * @param {Line} line
 * @param {Place[]} places   anchor and focus
 */
function restore(line, places) {
  const now = line.block.isConnected ? linesOf(line.block)[line.number] : undefined;
  const [anchor, focus] = places.map(({ node, offset, index }) => (index < 0 ? /** @type {[Node | null, number]} */ ([node, offset]) : now?.point(index)));
  if (!anchor?.[0]?.isConnected || !focus?.[0]?.isConnected) return;
  selectionIn(line.block)?.setBaseAndExtent(anchor[0], anchor[1], focus[0], focus[1]);
  tell();
}

// ---- what is pasted or dropped is made safe before the editor sees it

/** @typedef {{text: string, html: string, files: File[]}} Goods */
/** @typedef {{goods: Goods, all: import("./plan.js").Edit[]}} Made */

/** As others than the browser write what they carry: nothing else is left of it in an element that takes anything. */
const KEPT = new Set("A B BLOCKQUOTE BR CODE DIV EM H1 H2 H3 H4 I LI OL P PRE S SPAN STRONG TABLE TBODY TD TH THEAD TR U UL".split(" "));
const DROPPED = "script, style, iframe, object, embed, form, base, meta, link, template, svg, math";

/** @param {DataTransfer} data @returns {Goods} */
export function goodsOf(data) {
  const text = data.getData("text/plain") || data.getData("text/uri-list");
  return { text, html: data.getData("text/html"), files: [...data.files] };
}

/**
 * The same without anything untrusted to click on; undefined where nothing is to be changed.
 * @param {Goods} goods
 * @param {Set<string>} trusted
 * @returns {Made | undefined}
 */
export function made(goods, trusted) {
  const text = defang(goods.text, trusted);
  const { html, all } = goods.html ? safeHtml(goods.html, trusted) : { html: "", all: edits(goods.text, [], trusted) };
  return text === goods.text && html === goods.html ? undefined : { goods: { ...goods, text, html }, all };
}

/**
 * @param {string} html
 * @param {Set<string>} trusted
 * @returns {{html: string, all: import("./plan.js").Edit[]}}   the very same where nothing in it is to be changed
 */
function safeHtml(html, trusted) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const changed = opened(page, trusted);
  /** @type {import("./plan.js").Edit[]} */
  const all = [];
  for (const line of blocksIn(page.body, page.body).flatMap(linesOf)) {
    for (const edit of edits(line.text, line.links, trusted).toReversed()) {
      put(page, line, edit);
      all.push(edit);
    }
  }
  return { html: changed || all.length ? page.body.innerHTML : html, all };
}

/**
 * @param {Document} page
 * @param {import("./line.js").Line} line
 * @param {import("./plan.js").Edit} edit
 */
function put(page, line, { start, end, pieces }) {
  const range = line.range(start, end);
  const over = line.links.filter((link) => link.start < end && link.end > start);
  const [first, last] = [over[0], over.at(-1)].map((link) => link && line.anchors.get(link));
  if (first && first.contains(range.startContainer)) range.setStartBefore(first);
  if (last && last.contains(range.endContainer)) range.setEndAfter(last);
  range.deleteContents();
  range.insertNode(fragment(page, pieces));
}

/**
 * Links over what is not only text, opened: their target stands behind.
 * @param {Document} page
 * @param {Set<string>} trusted
 */
function opened(page, trusted) {
  const bad = [...page.querySelectorAll("a[href], area[href]")].filter((each) => !isTrustedTarget(each.getAttribute("href") ?? "", trusted));
  const more = bad.filter((each) => each.tagName === "AREA" || !each.textContent || each.querySelector("*:is(img, br, input, button, video, p, div, li, td)"));
  for (const each of more) each.replaceWith(...each.childNodes, ` (${unlinked("", each.getAttribute("href") ?? "", trusted).replace(/^ \(|\)$/gu, "")})`);
  return more.length > 0;
}

/**
 * @param {Document} page
 * @param {import("./plan.js").Piece[]} pieces
 */
function fragment(page, pieces) {
  const all = page.createDocumentFragment();
  for (const { text, href } of pieces) {
    const anchor = page.createElement("a");
    anchor.setAttribute("href", href ?? "");
    anchor.textContent = text;
    all.append(href ? anchor : text);
  }
  return all;
}

/**
 * Hands goods to an editor at its selection; where it takes none, they are written as the browser would.
 * @param {Element} root
 * @param {Goods} goods
 */
export function give(root, { text, html, files }) {
  settle(root);
  tell();
  if (paste(root, text, html, files)) return;
  const rich = html && !isField(root) && root.getAttribute("contenteditable") !== "plaintext-only";
  if (rich) document.execCommand("insertHTML", false, plainHtml(html));
  else document.execCommand("insertText", false, text);
}

/**
 * Ends what was typed before: one undo takes back what comes next, and no more.
 * @param {Element} root
 */
function settle(root) {
  const selection = selectionIn(root);
  if (isField(root)) {
    const { selectionStart, selectionEnd } = root;
    root.setSelectionRange(0, selectionStart === 0 && selectionEnd === 0 ? root.value.length : 0);
    root.setSelectionRange(selectionStart, selectionEnd);
  } else if (selection?.anchorNode && selection.focusNode) {
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    selection.selectAllChildren(root);
    selection.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  }
}

/** @param {string} html */
function plainHtml(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const each of page.querySelectorAll(DROPPED)) each.remove();
  for (const each of [...page.body.querySelectorAll("*")]) {
    const href = each.tagName === "A" ? each.getAttribute("href") : null;
    if (!KEPT.has(each.tagName)) each.replaceWith(...each.childNodes);
    for (const { name } of [...each.attributes]) each.removeAttribute(name);
    if (href && /^\s*(?:https?|mailto|tel):/iu.test(href)) each.setAttribute("href", href);
  }
  return page.body.innerHTML;
}

/**
 * Puts the caret where something is dropped.
 * @param {Element} root
 * @param {DragEvent} event
 */
export function caretAt(root, { clientX, clientY }) {
  if (root instanceof HTMLElement) root.focus({ preventScroll: true });
  if (isField(root)) {
    const place = document.caretPositionFromPoint?.(clientX, clientY);
    const at = place && (place.offsetNode === root || root.contains(place.offsetNode)) ? place.offset : root.value.length;
    root.setSelectionRange(at, at);
    return;
  }
  const range = document.caretRangeFromPoint(clientX, clientY);
  if (range && root.contains(range.startContainer)) document.getSelection()?.collapse(range.startContainer, range.startOffset);
}

// ---- a text of the companion itself (a note, a reason), where the caret is or was

/** @typedef {import("./editors.js").Kind} Kind */

/** Where the caret was in the editor that was left last. @type {{editor: Element, range: Range} | undefined} */
let left;

/** @param {Element | undefined} editor   which loses the focus: to another window it keeps its caret by itself */
export function leave(editor) {
  const selection = editor && selectionIn(editor);
  const range = editor && !isField(editor) && selection?.rangeCount ? selection.getRangeAt(0).cloneRange() : undefined;
  if (editor && range && editor.contains(range.commonAncestorContainer)) left = { editor, range };
}

/**
 * The editor that is meant: the internal note's, or the one used last, or the only sort there is.
 * @param {Kind} kind
 * @param {Element | undefined} last   used last
 * @param {boolean} note
 * @returns {Element | undefined}
 */
export function meant(kind, last, note) {
  const used = last?.isConnected ? [last] : [];
  const all = [...used, ...editorsIn(document, kind)].filter((each) => each === last || each.checkVisibility());
  if (note) return all.find((each) => isNote(each, kind));
  return all.find((each) => each === last || !isNote(each, kind)) ?? all[0];
}

/**
 * Puts the focus and the caret back to where they were; to the end of what nobody was in.
 * @param {Element} editor
 * @param {Kind} kind
 */
export function enter(editor, kind) {
  const active = activeIn(editor);
  if (active && editorAround(active, kind) === editor) return;
  if (editor instanceof HTMLElement) editor.focus({ preventScroll: true });
  if (isField(editor)) return;
  const selection = selectionIn(editor);
  const range = left?.editor === editor && editor.contains(left.range.commonAncestorContainer) ? left.range : undefined;
  if (range) selection?.setBaseAndExtent(range.startContainer, range.startOffset, range.endContainer, range.endOffset);
  else selection?.selectAllChildren(editor);
  if (!range) selection?.collapseToEnd();
}
