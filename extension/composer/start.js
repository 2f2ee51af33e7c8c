// @ts-check
/** From the first moment of a page: pastes, drops and sending wait until the rest of the companion is loaded. */
(() => {
  const HEARD =
    "paste drop dragstart dragend keydown beforeinput compositionstart compositionend focusin focusout pointerdown pointercancel mousedown pointerup mouseup click submit selectionchange".split(" ");
  const EDITABLE = "[contenteditable]:not([contenteditable='false']), textarea";
  /** @type {{type: string, target: Element, goods: {text: string, html: string, files: File[]}}[]} */
  const held = [];
  /** @type {(event: Event) => void} */
  let hear = early;
  listen();
  new MutationObserver(listen).observe(document, { childList: true }); // a page that writes itself anew forgets who listens
  import(chrome.runtime.getURL("composer/main.js"))
    .then((main) => main.begin(held))
    .then((heard) => (hear = heard))
    .catch(release);

  function listen() {
    for (const type of HEARD) window.addEventListener(type, heard, { capture: true });
  }

  /** @param {Event} event */
  function heard(event) {
    hear(event);
  }

  /** Without its modules the companion is in nobody's way: what was held goes in, the last pasted last. */
  function release() {
    hear = () => undefined;
    for (const { target, goods } of held) {
      if (target instanceof HTMLElement) target.focus();
      document.execCommand("insertText", false, goods.text);
    }
  }

  /** @param {Event} event */
  function early(event) {
    const target = event.composedPath()[0];
    const editor = target instanceof Element ? target.closest(EDITABLE) : null;
    if (!editor || !event.isTrusted) return;
    const data = event instanceof ClipboardEvent ? event.clipboardData : event instanceof DragEvent && event.type === "drop" ? event.dataTransfer : null;
    const sends = event instanceof KeyboardEvent && event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!data && !sends) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!data) return;
    const text = data.getData("text/plain") || data.getData("text/uri-list");
    held.push({ type: event.type, target: editor, goods: { text, html: data.getData("text/html"), files: [...data.files] } });
  }
})();
