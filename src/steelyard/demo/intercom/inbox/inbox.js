// The composer of the simulated inbox: two editors behind tabs, saved replies, and what is sent. A draft stays on the page.

const BLOCK = "intercom-interblocks-align-left";
const BLOCKS = "p, div, li, h1, h2, h3, h4, pre, blockquote, tr";
const tabs = [...document.querySelectorAll("[role=tab]")];

document.execCommand("defaultParagraphSeparator", false, "p");
for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") choose(tabs[1 - tabs.indexOf(tab)], true);
  });
}
for (const panel of document.querySelectorAll("[role=tabpanel]")) {
  panel.querySelector(".send").addEventListener("click", () => send(panel));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    send(panel);
  });
  for (const button of panel.querySelectorAll("button[data-saved]")) button.addEventListener("click", () => insert(panel, button));
}
document.querySelector(".parts")?.lastElementChild?.scrollIntoView({ block: "nearest" });

function choose(tab, focus = false) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", String(each === tab));
    each.tabIndex = each === tab ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = each !== tab;
  }
  if (focus) tab.focus();
  else editorIn(document.getElementById(tab.getAttribute("aria-controls"))).focus();
}

function editorIn(panel) {
  return panel.querySelector(".ProseMirror");
}

/** A saved reply goes in at the caret, as the editor's own doing. */
function insert(panel, button) {
  const saved = document.querySelector(`template[data-saved="${button.dataset.saved}"]`);
  const editor = editorIn(panel);
  button.closest("details").open = false;
  const selection = document.getSelection();
  const kept = selection.rangeCount && editor.contains(selection.anchorNode) ? selection.getRangeAt(0) : null;
  editor.focus();
  if (!kept) selection.selectAllChildren(editor);
  if (!kept) selection.collapseToEnd();
  else selection.setBaseAndExtent(kept.startContainer, kept.startOffset, kept.endContainer, kept.endOffset);
  const body = [...saved.content.querySelectorAll("p")].map((each) => each.innerHTML).join("<br>");
  document.execCommand("insertHTML", false, body);
}

/** What is shown in an editor, as paragraphs with line breaks and links. */
function written(editor) {
  const page = document.implementation.createHTMLDocument();
  let paragraph = null;
  const put = (node) => {
    if (!paragraph) page.body.append((paragraph = page.createElement("p")));
    paragraph.append(node);
  };
  const read = (node, link) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = page.createTextNode(node.data.replaceAll("\u00a0", " "));
      if (!link) return put(text);
      const made = page.createElement("a");
      made.href = link;
      made.append(text);
      return put(made);
    }
    if (node.nodeName === "BR") return put(page.createElement("br"));
    const isBlock = node instanceof Element && node.matches(BLOCKS);
    if (isBlock) paragraph = null;
    for (const child of node.childNodes) read(child, (node.nodeName === "A" && node.getAttribute("href")) || link);
    if (isBlock) paragraph = null;
  };
  for (const child of editor.childNodes) read(child, "");
  for (const each of page.querySelectorAll("p > br:only-child")) each.remove();
  return page.body.innerHTML;
}

async function send(panel) {
  const says = panel.querySelector(".says");
  const button = panel.querySelector(".send");
  if (button.disabled) return;
  button.disabled = true;
  says.textContent = "";
  try {
    const body = JSON.stringify({ kind: panel.dataset.kind, body: written(editorIn(panel)) });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${location.pathname}/parts`, { method: "POST", headers, body });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    document.querySelector(".parts").insertAdjacentHTML("beforeend", data.html);
    document.querySelector(".parts").lastElementChild.scrollIntoView({ block: "nearest" });
    clear(editorIn(panel));
    says.textContent = panel.dataset.kind === "note" ? "The note is kept." : "Sent.";
  } catch (problem) {
    says.textContent = problem.message || "It was not sent. What you wrote is still here.";
  } finally {
    button.disabled = false;
  }
}

function clear(editor) {
  const block = document.createElement("p");
  block.className = BLOCK;
  block.append(document.createElement("br"));
  editor.replaceChildren(block);
  editor.focus();
}
