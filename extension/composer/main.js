// @ts-check
/** The companion in a page with an editor: hears what is done in it, and keeps untrusted links from being clickable. */
import { editorAround, editorOf, health, isNote, isSafeToWrite, sentBy } from "./editors.js";
import { Hint } from "./hint.js";
import { activeIn } from "./line.js";
import { hosts, said } from "./plan.js";
import { Watch } from "./watch.js";
import { isAlive, known, learn, refresh, tell } from "./worker.js";
import { caretAt, enter, give, goodsOf, isWriting, leave, made, meant } from "./write.js";

// ---- the last net: what sends is held while something untrusted is live in what it sends

/** @typedef {import("./watch.js").Done} Done */
/** @typedef {import("./plan.js").Edit} Edit */
/** @typedef {{done: Done[], live: Edit[]}} Stopped */

/**
 * Finishes what can be written, and tells what is still live. Undefined: it may be sent.
 * @param {Watch} watch
 * @returns {Stopped | undefined}
 */
export function checked(watch) {
  if (!watch.hasFocus() && watch.live().length && watch.root instanceof HTMLElement) watch.root.focus({ preventScroll: true });
  const done = watch.check(true);
  const live = watch.live().filter(({ key }) => !watch.sent.has(key));
  return done.length || live.length ? { done, live } : undefined;
}

/** @param {Event} event */
export function isSendKey(event) {
  return event instanceof KeyboardEvent && event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing;
}

/** Of one press of a button, all or nothing reaches the page. */
export class Press {
  constructor() {
    this.stopped = false;
  }

  /**
   * @param {Event} event        pointerdown, mousedown, pointerup, mouseup, click
   * @param {() => boolean} may   asked when it begins, and when it is done
   */
  hear(event, may) {
    if (event.type === "pointerdown" || (event.type === "click" && !this.stopped)) this.stopped = !may(); // the page may write in between
    if (this.stopped) hold(event);
    if (event.type === "click") this.stopped = false;
  }
}

/** @param {Event} event */
export function hold(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

// ---- what is heard

/** @typedef {import("./plan.js").Piece} Piece */
/** @typedef {{target: Element, goods: import("./write.js").Goods}} Held */
/** Milliseconds for the frame that has the editor to say so, before the page says that there is none. */
const CLAIMED = 1000;
const say = chrome.i18n.getMessage;
/** Words can no longer be asked for when this is to be said. */
const RELOAD = say("composer_reload");
let retired = false;
let visiting = false;
/** @type {WeakMap<Element, Watch>} */
const watches = new WeakMap();
/** @type {Watch | undefined} */
let current;
/** @type {Element | undefined} */
let dragging;
const hint = new Hint();
const press = new Press();

/** @type {Record<string, (event: any) => void>} */
const HEARING = {
  focusin: (event) => entered(editorOf(event, known.kind)),
  focusout: left,
  paste: (event) => carried(event, event.clipboardData, editorOf(event, known.kind)),
  dragstart: (event) => (dragging = editorOf(event, known.kind)),
  dragend: () => (dragging = undefined),
  drop: dropped,
  keydown: keyed,
  beforeinput: (event) => current?.before(event),
  compositionstart: (event) => composed(event, true),
  compositionend: (event) => composed(event, false),
  selectionchange: () => current?.selected(),
  submit: (event) => maySend(sendersOf(event)) || hold(event),
};
for (const type of ["pointerdown", "pointercancel", "mousedown", "pointerup", "mouseup", "click"]) HEARING[type] = pressed;
/** They come with each key and are only noted: whether this is still the browser's extension, the key itself has asked. */
const FREQUENT = new Set(["beforeinput", "selectionchange"]);

/**
 * Learns the settings, hands over what was held, and hears from then on.
 * @param {Held[]} held
 */
export async function begin(held) {
  await learn();
  chrome.storage.onChanged.addListener(() => void learn());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && isAlive() && refresh());
  chrome.runtime.onMessage.addListener(asked);
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  if (active) entered(editorAround(active, known.kind));
  for (const { target, goods } of held) {
    if (target instanceof HTMLElement && activeIn(target) !== target) target.focus({ preventScroll: true });
    give(target, (minds(target) && made(goods, known.trusted)?.goods) || goods);
  }
  return (/** @type {Event} */ event) => {
    if (isWriting() || event.target === hint.host) return;
    if (FREQUENT.has(event.type) || isAlive()) HEARING[event.type](event);
    else retire(event);
  };
}

/**
 * The extension was updated under the page: its old script is in nobody's way, and says once what to do.
 * @param {Event} event
 */
function retire(event) {
  const editor = retired ? undefined : editorOf(event, known.kind);
  if (!editor) return;
  retired = true;
  hint.show(editor, RELOAD, [], false);
}

/**
 * Every frame of the page hears it; the one whose editor was used last answers.
 * @param {{do?: string, text?: string, note?: boolean}} message
 * @param {chrome.runtime.MessageSender} sender
 * @param {(answer: {ok: boolean, why?: string}) => void} answer
 */
function asked(message, sender, answer) {
  if (sender.id !== chrome.runtime.id) return false;
  if (message.do === "learn") void learn();
  if (message.do !== "insert") return false;
  const editor = meant(known.kind, current?.root, message.note === true);
  const none = say(message.note ? "composer_no_note" : "composer_none");
  const until = performance.now() + CLAIMED;
  const claimed = (/** @type {boolean} */ mine) => mine && editor && performance.now() < until && answer(insert(editor, String(message.text ?? "")));
  if (editor) void tell({ do: "claim" }).then(claimed);
  if (window === window.top) setTimeout(() => answer({ ok: false, why: none }), CLAIMED);
  return window === window.top || editor !== undefined;
}

/**
 * As if it were pasted.
 * @param {Element} editor
 * @param {string} text
 */
function insert(editor, text) {
  enter(editor, known.kind);
  const watch = attend(editor);
  watch?.check(true);
  const goods = { text, html: "", files: [] };
  give(editor, (minds(editor) && made(goods, known.trusted)?.goods) || goods);
  return { ok: true };
}

/** @param {Element} editor */
function minds(editor) {
  return isAlive() && (known.notes || !isNote(editor, known.kind));
}

/**
 * @param {Element | undefined} editor
 * @returns {Watch | undefined}
 */
function attend(editor) {
  if (!editor) return undefined;
  current = watches.get(editor);
  current?.moved();
  if (current) return current;
  current = new Watch(editor, { trusted: () => known.trusted, minds, writes: isSafeToWrite, tell: told });
  watches.set(editor, current);
  return current;
}

/** @param {Element | undefined} editor */
function entered(editor) {
  attend(editor);
  if (!editor) return;
  refresh();
  void tell({ do: "health", ...health(editor, known.kind) });
}

/**
 * @param {Event} event
 * @param {DataTransfer | null} data
 * @param {Element | undefined} editor
 */
function carried(event, data, editor) {
  if (!editor || !data || !minds(editor)) return false;
  const safe = made(goodsOf(data), known.trusted);
  if (!safe) return false;
  hold(event);
  if (event instanceof DragEvent) caretAt(editor, event);
  give(editor, safe.goods);
  const watch = attend(editor);
  const done = safe.all.map((edit) => ({ block: editor, edit: { ...edit, start: 0 } }));
  if (watch) hint.show(editor, say("composer_pasted"), waysBack(watch, done), false);
  return true;
}

/** @param {DragEvent} event */
function dropped(event) {
  const editor = editorOf(event, known.kind);
  if (editor && editor !== dragging) carried(event, event.dataTransfer, editor);
}

/** @param {KeyboardEvent} event */
function keyed(event) {
  const here = event.target === current?.root;
  const editor = here ? current?.root : editorOf(event, known.kind);
  if (!editor && /^(?:Enter| )$/u.test(event.key) && !maySend(sendersOf(event))) return hold(event); // what is no real button hears keys itself
  const watch = (here ? undefined : attend(editor)) ?? current;
  if (!watch?.root.isConnected) return;
  if (isSendKey(event)) return sendKey(event, watch.root);
  if (!editor || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && /^[zy]$/iu.test(event.key)) return void undo(event, watch);
  if (event.key === "Enter" || event.key === "Tab") watch.check(true);
}

/**
 * Pressed again while a choice is asked for, it goes there.
 * @param {KeyboardEvent} event
 * @param {Element} editor
 */
function sendKey(event, editor) {
  const asks = hint.host.isConnected && hint.section.role === "alert";
  if (maySend([editor])) return;
  hold(event);
  if (asks && !event.repeat) hint.enter();
}

/**
 * What was ours is taken back whole; anything else is the editor's own. What comes back then stays, by redoing as well:
 * to write in between would end what can be redone.
 * @param {KeyboardEvent} event
 * @param {Watch} watch
 */
function undo(event, watch) {
  watch.undoing();
  if (!watch.last.length || event.shiftKey || /y/iu.test(event.key)) return;
  hold(event);
  watch.restore(watch.last);
}

/**
 * @param {Event} event
 * @param {boolean} composing
 */
function composed(event, composing) {
  const watch = attend(editorOf(event, known.kind));
  if (!watch) return;
  watch.composing = composing;
  if (!composing) watch.soon();
}

/** @param {Event} event */
function pressed(event) {
  if (event.type.startsWith("pointer")) hint.press(event.type === "pointerdown");
  const senders = sendersOf(event);
  if (senders.length) return press.hear(event, () => maySend(senders));
  press.stopped = false;
  if (event.type === "pointerdown" && current && !event.composedPath().includes(current.root)) current.check(true);
}

/** @param {Event} event */
function left(event) {
  leave(editorOf(event, known.kind));
  if (current && !visiting) setTimeout(finish, 0, current);
}

/**
 * From a frame the focus may go to a button around it that sends: what was typed last is finished before it is pressed. An editor
 * is written in with the focus in it, so that comes for a moment. To another window it takes no word's end.
 * @param {Watch} watch
 */
function finish(watch) {
  try {
    const beside = !document.hasFocus() && parent.document.hasFocus() && parent.document.activeElement;
    if (!beside || !minds(watch.root) || !isSafeToWrite(watch.root)) return;
    visiting = true;
    checked(watch);
    /** @type {HTMLElement} */ (beside).focus({ preventScroll: true });
  } catch {
    // the page around is of another origin
  } finally {
    visiting = false;
  }
}

/** @param {Event} event */
function sendersOf(event) {
  if (event.type !== "submit") return sentBy(event, known.kind, current?.root);
  const form = event.target instanceof HTMLFormElement ? event.target : undefined;
  return form ? [...form.querySelectorAll(known.kind.editor)] : [];
}

/**
 * Whether nothing untrusted is live in any of them; else it is said, and what can be is made unclickable.
 * @param {Element[]} editors
 */
function maySend(editors) {
  for (const editor of editors.filter(minds)) {
    const watch = watches.get(editor) ?? attend(editor);
    const stopped = watch && checked(watch);
    if (!stopped) continue;
    if (stopped.live.length) ask(watch, stopped.live);
    else hint.show(editor, say("composer_send_again"), waysBack(watch, stopped.done), false);
    return false;
  }
  return true;
}

/**
 * @param {Watch} watch
 * @param {import("./plan.js").Edit[]} live
 */
function ask(watch, live) {
  const shown = live.map(({ was }) => was.map(({ text, href }) => href ?? text).join(" ")).join(", ");
  const ways = trustWays(live.map(({ was }) => was), () => undefined);
  const allow = () => live.forEach(({ key }) => watch.sent.add(key));
  hint.show(watch.root, say("composer_live", [shown.slice(0, 200)]), [...ways, { label: say("composer_send_live"), act: allow }], true);
}

/**
 * @param {Watch} watch
 * @param {Done[]} done
 */
function told(watch, done) {
  const shown = done.map(({ edit }) => said(edit.pieces)).join(", ");
  hint.show(watch.root, say("composer_done", [shown.slice(0, 200)]), waysBack(watch, done), false);
}

/**
 * @param {Watch} watch
 * @param {Done[]} done
 */
function waysBack(watch, done) {
  const restore = () => {
    if (watch.root instanceof HTMLElement) watch.root.focus({ preventScroll: true });
    watch.restore(done);
  };
  const close = { label: say("composer_close"), act: () => undefined };
  return [{ label: say("composer_restore"), act: restore }, ...trustWays(done.map(({ edit }) => edit.was), restore), close];
}

/**
 * @param {Piece[][]} all
 * @param {() => void} then
 */
function trustWays(all, then) {
  const domains = [...new Set(all.flatMap((was) => hosts(was, known.trusted)))].slice(0, 2);
  return domains.flatMap((domain) => {
    const mine = { label: say("composer_trust", [domain]), act: () => void trust("trust", domain, then) };
    const proposed = () => current && hint.show(current.root, say("composer_proposed", [domain]), [], false);
    const ours = { label: say("composer_propose", [domain]), act: () => void trust("propose", domain, proposed) };
    return known.connected ? [mine, ours] : [mine];
  });
}

/**
 * @param {"trust" | "propose"} what
 * @param {string} domain
 * @param {() => void} then
 */
async function trust(what, domain, then) {
  const answer = await tell({ do: what, domain });
  if (answer !== true) {
    const why = answer ? answer.why || say(answer.say, answer.values) : answer === false ? say("options_why_full") : RELOAD;
    return current && hint.show(current.root, why, [], true);
  }
  await learn();
  then();
}
