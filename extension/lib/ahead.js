// @ts-check
/** The matches of a pattern, asked for from left to right, so that none is looked for twice. Pure; the same as ahead.py. */

export class Ahead {
  #from = 0;
  /** @type {RegExpExecArray | null | undefined} */
  #match = undefined;

  /**
   * @param {RegExp} pattern   global
   * @param {string} text
   */
  constructor(pattern, text) {
    this.pattern = pattern;
    this.text = text;
  }

  /**
   * The first match that begins at a place or after it.
   * @param {number} at
   * @returns {RegExpExecArray | null}
   */
  match(at) {
    const known = this.#match !== undefined && at >= this.#from && (this.#match === null || this.#match.index >= at);
    if (!known) {
      this.pattern.lastIndex = at;
      this.#match = this.pattern.exec(this.text);
      this.#from = at;
    }
    return this.#match ?? null;
  }

  /**
   * Where it begins; the end of the text where there is none.
   * @param {number} at
   */
  after(at) {
    return this.match(at)?.index ?? this.text.length;
  }
}
