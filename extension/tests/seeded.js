/** Random numbers that are the same in each run. */

/**
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed >>> 0;
  /** A whole number below `most` (mulberry32). @param {number} most */
  const below = (most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
  };
  return {
    below,
    /** @param {number} percent */
    chance: (percent) => below(100) < percent,
    /** @template T @param {T[]} all @returns {T} */
    one: (all) => all[below(all.length)],
    /** @template T @param {T[]} all @returns {T[]} */
    shuffled: (all) => all.map((each) => [below(2 ** 30), each]).sort(([a], [b]) => a - b).map(([, each]) => each),
  };
}
