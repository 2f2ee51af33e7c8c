// @ts-check
/** Watches one editor: what was edited is looked at as soon as its words are finished, and nothing else. */
import { DOTS, WHITE } from "../lib/detect.js";
import { isTrustedTarget } from "../lib/trust.js";
import { activeIn, blockOf, blocksIn, isField, linesOf } from "./line.js";
import { edited, edits, isBare, said } from "./plan.js";
import { write } from "./write.js";

/** @typedef {import("./line.js").Line} Line */
/** @typedef {import("./plan.js").Edit} Edit */
/** @typedef {{block: Element, edit: Edit}} Done */
/**
 * @typedef {object} Ways
 * @property {() => Set<string>} trusted
 * @property {(root: Element) => boolean} minds    whether this editor is to be looked at now
 * @property {(root: Element) => boolean} writes   whether it can be written in while one types
 * @property {(watch: Watch, done: Done[]) => void} tell
 */

const XLINK = "http://www.w3.org/1999/xlink";
/** Milliseconds that a look waits: a key is drawn before it, and what else the key brings is looked at together. */
const WAIT = 15;
/** Milliseconds without a key that are a pause: what cannot end an address is looked at then. */
const REST = 500;
const END = new RegExp(`[${WHITE}]`, "u");
/** No address is without one. */
const MARK = new RegExp(`[:${DOTS}]`, "u");
/** How long after an undo what comes back is taken for it, in milliseconds. */
const UNDOING = 300;
/** An editor that makes the same link again this often in so many milliseconds has the last word until sending: at one place, at all. */
const TRIES = { there: 10, all: 60 };
const AGAIN = 2000;

export class Watch {
  /**
   * @param {Element} root
   * @param {Ways} ways
   */
  constructor(root, ways) {
    this.root = root;
    this.ways = ways;
    /** What the user took back. @type {Set<string>} */
    this.left = new Set();
    /** What the user lets out as it is. @type {Set<string>} */
    this.sent = new Set();
    /** The last thing that happened here, if it was ours. @type {Done[]} */
    this.last = [];
    this.composing = false;
    this.undone = -UNDOING;
    /** Whether the last change was an undo: the page may let the look at it wait for long. */
    this.back = false;
    /** When it is looked at. */
    this.now = 0;
    /** @type {WeakMap<Element, string[]>} */
    this.known = new WeakMap();
    /** When and where each was written. @type {Map<string, {at: number, start: number}[]>} */
    this.tried = new Map();
    /** Blocks with a word under the caret. @type {Set<Element>} */
    this.pending = new Set();
    /** @type {Set<Element>} */
    this.dirty = new Set(this.blocks());
    this.timer = 0;
    /** Whether it is looked at without waiting for a pause. */
    this.hurries = false;
    /** The sign that is being typed. */
    this.sign = "";
    /** Whether a mark may be in the word before the caret. */
    this.marked = true;
    this.observer = new MutationObserver((records) => this.changed(records));
    this.observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: ["href"] });
    if (isField(root)) root.addEventListener("input", () => this.typed());
    this.soon();
  }

  /** @param {MutationRecord[]} records */
  changed(records) {
    for (const { target, addedNodes } of records) {
      this.dirty.add(blockOf(target, this.root));
      for (const node of addedNodes) if (node instanceof Element) for (const block of blocksIn(node, this.root)) this.dirty.add(block);
    }
    this.edited(records.every(({ type }) => type === "characterData"));
  }

  typed() {
    this.dirty.add(this.root);
    this.edited(true);
  }

  /**
   * A sign within a word makes no address there: it waits for the end of the word, and that for nothing.
   * @param {boolean} plainly   in the text alone
   */
  edited(plainly) {
    this.last = [];
    if (this.left.size + this.sent.size && this.isEmpty()) for (const each of [this.left, this.sent]) each.clear(); // what comes next is another message
    this.back ||= performance.now() - this.undone < UNDOING;
    const ends = END.test(this.sign);
    if (!plainly || !this.sign || (ends && this.marked)) this.soon();
    else this.soon(REST);
    this.marked = !plainly || !this.sign || (!ends && (this.marked || MARK.test(this.sign)));
  }

  /** What is about to be done. @param {InputEvent} event */
  before({ inputType, data }) {
    if (inputType.startsWith("history")) this.undoing();
    this.sign = inputType === "insertText" && data?.length === 1 ? data : "";
  }

  /** A key moves the caret as well: that is no other place. */
  selected() {
    if (!this.sign) this.moved();
    this.sign = "";
  }

  /** The caret went somewhere, or a word was composed. */
  moved() {
    this.marked = true;
    if (this.pending.size || this.dirty.size) this.soon();
  }

  /** @param {number} wait   milliseconds from now; the end of a word is not put off by the next one */
  soon(wait = WAIT) {
    if (this.timer && this.hurries) return;
    clearTimeout(this.timer);
    this.hurries = wait === WAIT;
    this.timer = window.setTimeout(() => this.check(), wait);
  }

  /** What comes next is what an undo brings back. */
  undoing() {
    this.undone = performance.now();
  }

  hasFocus() {
    const active = activeIn(this.root);
    return this.root.isConnected && active !== null && (active === this.root || this.root.contains(active));
  }

  /**
   * Looks at what was edited since the last time.
   * @param {boolean} finished   whether the word under the caret is
   * @returns {Done[]}
   */
  check(finished = false) {
    clearTimeout(this.timer);
    this.timer = 0;
    if (!this.hasFocus()) return []; // an editor writes at the caret it knows: what waits is looked at when it is back
    if (this.composing || !this.ways.minds(this.root) || !this.ways.writes(this.root)) return [];
    this.now = performance.now();
    const blocks = new Set([...this.dirty, ...this.pending]);
    this.dirty.clear();
    this.pending.clear();
    const done = [...blocks].filter((block) => block.isConnected).flatMap((block) => this.look(block, finished));
    this.marked ||= this.pending.size > 0;
    this.back = false;
    if (done.length) this.ways.tell(this, done);
    return done;
  }

  isEmpty() {
    return !(isField(this.root) ? this.root.value : this.root.textContent)?.trim();
  }

  /**
   * @param {Element} block
   * @param {boolean} finished
   */
  look(block, finished) {
    const before = this.known.get(block) ?? [];
    const lines = linesOf(block);
    /** @type {Done[]} */
    const done = [];
    const seen = lines.map(({ text }) => text);
    for (const line of lines) {
      const found = edits(line.text, line.links, this.ways.trusted(), edited(before[line.number] ?? "", line.text));
      const now = found.filter((edit) => this.isDue(edit));
      const caret = finished || !now.length ? -1 : line.caret();
      const wait = now.find(({ start, end, open }) => caret >= start && caret <= (open ? end + 1 : end));
      if (wait) this.pending.add(block);
      done.push(...this.writeAll(line, now.filter((edit) => edit !== wait)));
      const text = (now.length ? linesOf(block)[line.number]?.text : line.text) ?? "";
      seen[line.number] = wait ? text.slice(0, wait.start) + text.slice(wait.end) : text;
    }
    this.known.set(block, seen);
    return done;
  }

  /** @param {Edit} edit */
  isDue(edit) {
    if (this.back || this.now - this.undone < UNDOING) this.left.add(edit.key);
    if (edit.stuck || this.left.has(edit.key)) return false;
    const tried = this.lately(edit);
    return tried.length < TRIES.all && tried.filter(({ start }) => start === edit.start).length < TRIES.there;
  }

  /** When and where the same was written of late. @param {Edit} edit */
  lately(edit) {
    return (this.tried.get(edit.key) ?? []).filter(({ at }) => this.now - at < AGAIN);
  }

  /**
   * From the last to the first, so that places stay what they are.
   * @param {Line} line
   * @param {Edit[]} now
   */
  writeAll(line, now) {
    /** @type {Done[]} */
    const done = [];
    for (const edit of now.toReversed()) {
      const current = done.length ? linesOf(line.block)[line.number] : line;
      if (!current) break;
      this.tried.set(edit.key, [...this.lately(edit), { at: this.now, start: edit.start }]);
      write(this.root, current, edit);
      done.unshift({ block: line.block, edit });
    }
    if (done.length) this.ours(done);
    return done;
  }

  /**
   * What was written is not looked at again, but for what the editor made of it.
   * @param {Done[]} done
   */
  ours(done) {
    for (const { target } of this.observer.takeRecords()) this.dirty.add(blockOf(target, this.root));
    this.last = done;
    if (this.dirty.size) this.soon();
  }

  /**
   * Writes back what stood there, which stays then.
   * @param {Done[]} done
   */
  restore(done) {
    for (const { block, edit } of done.toReversed()) {
      this.left.add(edit.key);
      const text = said(edit.pieces);
      const lines = [...(block.isConnected ? linesOf(block) : []), ...this.blocks().flatMap(linesOf)];
      const line = lines.find((each) => each.text.startsWith(text, edit.start)) ?? lines.find((each) => each.text.includes(text));
      if (!line) continue;
      const start = line.text.startsWith(text, edit.start) ? edit.start : line.text.indexOf(text);
      write(this.root, line, { start, end: start + text.length, pieces: edit.was }, edit.was.every(isBare));
    }
    this.last = [];
    this.ours([]);
  }

  /** All that is live in the editor now. @returns {Edit[]} */
  live() {
    const lines = this.blocks().flatMap(linesOf);
    const read = new Set(lines.flatMap((line) => line.links.map((link) => line.anchors.get(link))));
    return [...lines.flatMap((line) => edits(line.text, line.links, this.ways.trusted())), ...this.beyond(read)];
  }

  /**
   * Links that are in no line: in pictures and cards, and empty ones.
   * @param {Set<Element | undefined>} read   those that are
   * @returns {Edit[]}
   */
  beyond(read) {
    /** @type {Edit[]} */
    const all = [];
    for (const each of this.root.querySelectorAll("a, area")) {
      const href = each.getAttribute("href") ?? each.getAttributeNS(XLINK, "href") ?? each.getAttribute("xlink:href");
      if (read.has(each) || href === null || isTrustedTarget(href, this.ways.trusted())) continue;
      all.push({ start: 0, end: 0, was: [{ text: each.textContent ?? "", href }], pieces: [], key: `\n${href}`, open: false, stuck: true });
    }
    return all;
  }

  blocks() {
    return isField(this.root) ? [this.root] : blocksIn(this.root, this.root);
  }
}
