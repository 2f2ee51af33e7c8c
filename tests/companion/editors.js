/** Real editors on one page, as `?editor=` names them; what the page would send is in `window.sent`. */
import { Editor } from "@tiptap/core";
import Link from "@tiptap/extension-link";
import StarterKit from "@tiptap/starter-kit";
import { registerHistory, createEmptyHistoryState } from "@lexical/history";
import { registerRichText } from "@lexical/rich-text";
import { createEditor } from "lexical";
import { baseKeymap } from "prosemirror-commands";
import { history, redo, undo } from "prosemirror-history";
import { keymap } from "prosemirror-keymap";
import { DOMParser as Parser } from "prosemirror-model";
import { schema } from "prosemirror-schema-basic";
import { EditorState } from "prosemirror-state";
import { EditorView } from "prosemirror-view";
import Quill from "quill";

let holder = document.getElementById("composer");
const asked = new URL(location.href).searchParams;
let begin = asked.get("html") ?? "";
if (asked.has("shadow")) {
  holder = holder.attachShadow({ mode: "open" });
  const around = document.createElement("div");
  holder.append(around);
  holder = around;
}

function prosemirror() {
  const made = document.createElement("div");
  made.innerHTML = begin;
  const plugins = [history(), keymap({ "Mod-z": undo, "Mod-y": redo }), keymap(baseKeymap)];
  const state = EditorState.create({ doc: Parser.fromSchema(schema).parse(made), plugins });
  const view = new EditorView(holder, { state, attributes: { class: "embercom-prosemirror-composer-editor" } });
  window.insert = (text) => view.dispatch(view.state.tr.insertText(text));
  return view.dom;
}

function tiptap() {
  const editor = new Editor({ element: holder, content: begin, extensions: [StarterKit.configure({ link: false }), Link.configure({ autolink: true, openOnClick: false })] });
  window.insert = (text) => editor.commands.insertContent(text);
  return editor.view.dom;
}

function quill() {
  const inner = document.createElement("div");
  inner.innerHTML = begin;
  holder.append(inner);
  const editor = new Quill(inner, { modules: { toolbar: false } });
  window.insert = (text) => editor.insertText(editor.getLength() - 1, text);
  return editor.root;
}

function lexical() {
  const inner = document.createElement("div");
  inner.contentEditable = "true";
  holder.append(inner);
  const editor = createEditor({ onError: (error) => { throw error; } });
  editor.setRootElement(inner);
  registerRichText(editor);
  registerHistory(editor, createEmptyHistoryState(), 300);
  return inner;
}

function plain() {
  const inner = document.createElement("div");
  inner.contentEditable = "true";
  inner.innerHTML = begin;
  holder.append(inner);
  window.insert = (text) => inner.append(text);
  return inner;
}

function textarea() {
  const inner = document.createElement("textarea");
  inner.value = begin;
  holder.append(inner);
  return inner;
}

function plaintext() {
  const inner = plain();
  inner.contentEditable = "plaintext-only";
  return inner;
}

const EDITORS = { prosemirror, tiptap, quill, lexical, plain, plaintext, textarea };
let made;
/** Makes the editor, or makes it anew as a page does that goes to another conversation. */
window.make = (editor) => {
  holder.replaceChildren();
  made = EDITORS[editor]();
  made.id = "editor";
};
window.make(asked.get("editor"));
if (asked.has("note")) holder.className = "o__note";
if (asked.has("also")) {
  const first = [holder, begin, made];
  holder = document.createElement("div");
  holder.className = asked.get("also");
  first[0].after(holder);
  begin = "";
  EDITORS[asked.get("editor")]().id = "other";
  [holder, begin, made] = first;
}
window.sent = [];
const read = () => made.value ?? made.innerHTML;
window.addEventListener("keydown", (event) => event.key === "Enter" && event.ctrlKey && window.sent.push(read()));
document.getElementById("send").addEventListener("click", () => window.sent.push(read()));
document.documentElement.dataset.ready = "yes";
