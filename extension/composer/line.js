// @ts-check
/** A line of an editor as a text, with the places of its nodes: what is read, and what is selected to be written. */

/** @typedef {import("./plan.js").Link} Link */
/** @typedef {{node: Node, start: number, end: number}} Leaf */

const INLINE = new Set(
  "A ABBR B BDI BDO CITE CODE DEL DFN EM FONT I INS KBD LABEL MARK Q S SAMP SMALL SPAN STRIKE STRONG SUB SUP TIME TT U VAR".split(" "),
);
/** Neither text nor a line: a picture, a mention. */
const ATOM = new Set("BR IMG BUTTON INPUT SELECT TEXTAREA SVG svg VIDEO AUDIO CANVAS IFRAME OBJECT EMBED HR".split(" "));

/** @param {Node} node */
function isAtom(node) {
  return node instanceof Element && (ATOM.has(node.tagName) || node.getAttribute("contenteditable") === "false");
}

/** @param {Node} node */
function isInline(node) {
  return !(node instanceof Element) || INLINE.has(node.tagName) || isAtom(node);
}

/**
 * The nearest element around a node, or itself, that is a line or holds lines.
 * @param {Node} node
 * @param {Element} root
 * @returns {Element}
 */
export function blockOf(node, root) {
  let at = node;
  while (at !== root && isInline(at) && at.parentNode) at = at.parentNode;
  return at instanceof Element && root.contains(at) ? at : root;
}

/**
 * All blocks in a node, itself among them.
 * @param {Node} node
 * @param {Element} root
 */
export function blocksIn(node, root) {
  const all = [blockOf(node, root)];
  if (node instanceof Element) for (const each of node.querySelectorAll("*")) if (!isInline(each)) all.push(each);
  return all;
}

/**
 * The lines that stand in a block itself, not in a block of it.
 * @param {Element} block
 */
export function linesOf(block) {
  if (isField(block)) return [fieldLine(block)];
  /** @type {Line[]} */
  const lines = [];
  let open = false;
  for (const child of block.childNodes) {
    const inline = isInline(child);
    if (inline && !open) lines.push(new Line(block, lines.length));
    open = inline;
    if (inline) lines[lines.length - 1].add(child);
  }
  return lines;
}

/**
 * @param {Node | null} node
 * @returns {node is HTMLTextAreaElement | HTMLInputElement}
 */
export function isField(node) {
  return node instanceof HTMLTextAreaElement || node instanceof HTMLInputElement;
}

/**
 * What is selected, as the tree of a node knows it: the page does not look into its shadows.
 * @param {Node} node
 * @returns {Selection | null}
 */
export function selectionIn(node) {
  const tree = /** @type {Node & {getSelection?: () => Selection | null}} */ (node.getRootNode());
  return tree.getSelection ? tree.getSelection() : document.getSelection();
}

/**
 * What has the focus in the tree of a node.
 * @param {Node} node
 */
export function activeIn(node) {
  const tree = node.getRootNode();
  return tree instanceof Document || tree instanceof ShadowRoot ? tree.activeElement : null;
}

/** @param {HTMLTextAreaElement | HTMLInputElement} field */
function fieldLine(field) {
  const line = new Line(field, 0);
  line.text = field.value;
  return line;
}

export class Line {
  /**
   * @param {Element} block
   * @param {number} number   which of the block's lines
   */
  constructor(block, number) {
    this.block = block;
    this.number = number;
    this.text = "";
    /** @type {Leaf[]} */
    this.leaves = [];
    /** @type {Link[]} */
    this.links = [];
    /** @type {WeakMap<Link, Element>} */
    this.anchors = new WeakMap();
  }

  /** @param {Node} node */
  add(node) {
    const start = this.text.length;
    if (node instanceof Text || isAtom(node)) {
      this.text += node instanceof Text ? node.data : "\n";
      this.leaves.push({ node, start, end: this.text.length });
      return;
    }
    for (const child of node.childNodes) this.add(child);
    if (node instanceof HTMLAnchorElement && node.hasAttribute("href")) this.link(node, start);
  }

  /**
   * @param {HTMLAnchorElement} anchor
   * @param {number} start
   */
  link(anchor, start) {
    const link = { start, end: this.text.length, href: anchor.getAttribute("href") ?? "", whole: true };
    if (link.end === start) return;
    link.whole = !this.leaves.some((leaf) => leaf.start >= start && !(leaf.node instanceof Text));
    this.links.push(link);
    this.anchors.set(link, anchor);
  }

  /**
   * Where a place of the page is in the text; -1 where it is not in this line.
   * @param {Node | null} node
   * @param {number} offset
   */
  index(node, offset) {
    if (!node) return -1;
    const leaf = this.leaves.find((each) => each.node === node);
    if (leaf) return leaf.start + (node instanceof Text ? offset : 0);
    if (!this.block.contains(node) || blockOf(node, this.block) !== this.block) return -1;
    const range = document.createRange();
    range.setStart(node, offset);
    const next = this.leaves.find((each) => range.comparePoint(each.node, 0) >= 0);
    return next ? next.start : (this.leaves.at(-1)?.end ?? 0);
  }

  /** Where the caret is in the text; -1 where it is elsewhere, or something is selected. */
  caret() {
    if (isField(this.block)) {
      const { selectionStart, selectionEnd } = this.block;
      return activeIn(this.block) === this.block && selectionStart === selectionEnd ? (selectionStart ?? -1) : -1;
    }
    const selection = selectionIn(this.block);
    return selection?.isCollapsed ? this.index(selection.focusNode, selection.focusOffset) : -1;
  }

  /**
   * A place in the text as a place of the page.
   * @param {number} at
   * @returns {[Node, number]}
   */
  point(at) {
    const leaf = this.leaves.find(({ end }) => end >= at) ?? this.leaves.at(-1);
    if (!leaf) return [this.block, 0];
    const range = document.createRange();
    place(range, "setStart", leaf, at);
    return [range.startContainer, range.startOffset];
  }

  /**
   * A stretch as a range, with the whole of the links in it.
   * @param {number} start
   * @param {number} end
   */
  range(start, end) {
    const range = document.createRange();
    const first = this.leaves.find((leaf) => leaf.end > start) ?? this.leaves.at(-1);
    const last = this.leaves.findLast((leaf) => leaf.start < end) ?? this.leaves[0];
    if (!first || !last) return range;
    place(range, "setStart", first, start);
    place(range, "setEnd", last, end);
    return range;
  }
}

/**
 * @param {Range} range
 * @param {"setStart" | "setEnd"} side
 * @param {Leaf} leaf
 * @param {number} at
 */
function place(range, side, { node, start }, at) {
  if (node instanceof Text) range[side](node, Math.min(Math.max(at - start, 0), node.data.length));
  else if (node.parentNode) range[side](node.parentNode, [...node.parentNode.childNodes].indexOf(/** @type {ChildNode} */ (node)) + (at > start ? 1 : 0));
}
