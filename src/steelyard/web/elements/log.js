// <log-view src total>: a log of any length. Only the lines in view are elements, and what a line holds is text, never
// markup. Without a script it is a <pre>, part by part. #L120 points at a line; it can follow, be searched and copied.

const ROW = 20; // pixels; the style sheet says the same
const AROUND = 30; // lines drawn beyond each edge
const TALLEST = 8_000_000; // pixels: browsers cannot scroll much further
const EVERY = 1000; // milliseconds between looks for more

class LogView extends HTMLElement {
  #lines = [];
  #found = []; // numbers of the lines that hold what is searched
  #at = -1; // place in #found
  #query = "";
  #scroller = null;
  #sheet = null;
  #drawn = "";
  #timer = 0;
  #marked = 0;
  #following = false;

  async connectedCallback() {
    const source = this.getAttribute("src");
    const answer = await fetch(source).catch(() => null);
    if (!answer?.ok) return; // the plain lines stay
    this.#lines = split(await answer.text());
    this.#build();
    this.#goToHash();
    if (answer.headers.get("X-Log-Ended") === "no") this.#watch(source);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  /** How many lines there are. */
  get length() {
    return this.#lines.length;
  }

  /** Adds whole lines at the end. */
  append(text) {
    for (const line of split(text)) this.#lines.push(line);
    if (this.#query) this.#search(this.#query, true);
    this.#resize();
    if (this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#draw();
  }

  #build() {
    const tools = this.querySelector("[data-tools]");
    tools.hidden = false;
    this.#scroller = Object.assign(document.createElement("div"), { className: "lines", tabIndex: 0 });
    this.#scroller.setAttribute("role", "log");
    this.#scroller.setAttribute("aria-live", "off");
    this.#scroller.setAttribute("aria-label", this.getAttribute("label"));
    this.#sheet = this.#scroller.appendChild(document.createElement("div"));
    this.querySelector("[data-plain]").replaceWith(this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(this.#scroller);
    addEventListener("hashchange", () => this.#goToHash());
    tools.querySelector("[type=search]").addEventListener("input", (event) => this.#search(event.target.value));
    tools.querySelector("[type=search]").addEventListener("keydown", (event) => this.#step(event));
    tools.querySelector("[data-copy]").addEventListener("click", () => this.#copy());
    tools.querySelector("[data-follow]").addEventListener("click", () => this.#follow(!this.#following));
    this.#resize();
    this.#draw();
  }

  // The sheet is as tall as all lines; beyond what a browser can scroll, a pixel stands for more than its share.
  #resize() {
    this.#sheet.style.height = `${Math.min(this.#lines.length * ROW, TALLEST)}px`;
  }

  get #stretch() {
    const real = this.#lines.length * ROW - this.#scroller.clientHeight;
    const held = Math.min(this.#lines.length * ROW, TALLEST) - this.#scroller.clientHeight;
    return held > 0 ? real / held : 1;
  }

  #draw() {
    const top = this.#scroller.scrollTop * this.#stretch;
    const first = Math.max(0, Math.floor(top / ROW) - AROUND);
    const last = Math.min(this.#lines.length, Math.ceil((top + this.#scroller.clientHeight) / ROW) + AROUND);
    const drawn = `${first} ${last} ${this.#marked} ${this.#query} ${this.#stretch === 1 ? "" : top}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const offset = this.#scroller.scrollTop - (top - first * ROW);
    const rows = [];
    for (let line = first; line < last; line++) rows.push(this.#row(line, offset + (line - first) * ROW));
    this.#sheet.replaceChildren(...rows);
  }

  #row(line, top) {
    const [row, number, text] = ["div", "a", "span"].map((name) => document.createElement(name));
    row.className = line + 1 === this.#marked ? "line is-marked" : "line";
    row.style.top = `${top}px`;
    number.href = `#L${line + 1}`;
    number.textContent = line + 1;
    number.tabIndex = -1;
    this.#write(text, this.#lines[line]);
    row.append(number, text);
    return row;
  }

  #write(element, line) {
    const at = this.#query ? line.toLowerCase().indexOf(this.#query) : -1;
    if (at < 0) {
      element.textContent = line;
      return;
    }
    const mark = document.createElement("mark");
    mark.textContent = line.slice(at, at + this.#query.length);
    element.append(line.slice(0, at), mark, line.slice(at + this.#query.length));
  }

  #search(query, keep = false) {
    this.#query = query.toLowerCase();
    this.#found = [];
    if (this.#query) this.#lines.forEach((line, number) => line.toLowerCase().includes(this.#query) && this.#found.push(number + 1));
    if (!keep) this.#at = this.#found.length ? 0 : -1;
    if (!keep && this.#found.length) this.#show(this.#found[0]);
    this.#tell();
    this.#draw();
  }

  #step(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!this.#found.length) return;
    this.#at = (this.#at + (event.shiftKey ? -1 : 1) + this.#found.length) % this.#found.length;
    this.#show(this.#found[this.#at]);
    this.#tell();
  }

  #tell() {
    const said = this.querySelector("[data-found]");
    said.textContent = this.#query ? `${this.#found.length ? this.#at + 1 : 0} / ${this.#found.length}` : "";
  }

  #show(line) {
    this.#marked = line;
    this.#follow(false);
    this.#scroller.scrollTop = ((line - 1) * ROW - this.#scroller.clientHeight / 3) / this.#stretch;
    this.#draw();
  }

  #goToHash() {
    const line = Number(/^#L(\d{1,9})$/.exec(location.hash)?.[1]);
    if (!(line >= 1 && line <= this.#lines.length)) return;
    this.#show(line);
    this.scrollIntoView({ block: "nearest" });
  }

  #follow(on) {
    this.#following = on;
    const button = this.querySelector("[data-follow]");
    button.setAttribute("aria-pressed", String(on));
    if (on) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  async #copy() {
    await navigator.clipboard.writeText(this.#lines.join("\n"));
    const said = this.querySelector("[data-copied]");
    said.hidden = false;
    setTimeout(() => (said.hidden = true), 3000);
  }

  #watch(source) {
    this.querySelector("[data-follow]").hidden = false;
    this.#follow(!location.hash);
    this.#timer = setInterval(async () => {
      if (document.hidden) return;
      const answer = await fetch(`${source}${source.includes("?") ? "&" : "?"}after=${this.#lines.length}`).catch(() => null);
      if (!answer?.ok) return;
      const text = await answer.text();
      if (text) this.append(text);
      if (answer.headers.get("X-Log-Ended") !== "no") clearInterval(this.#timer);
    }, EVERY);
  }
}

function split(text) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

customElements.define("log-view", LogView);
