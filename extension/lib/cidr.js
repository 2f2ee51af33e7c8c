// @ts-check
/** Addresses and networks, IPv4 and IPv6, as they stand in rules and come from outside. Pure; the same as cidr.py. */

/**
 * A network: its address in bytes (4 or 16; one mapped from IPv4 is IPv4) and how many of its bits count.
 * @typedef {object} Network
 * @property {number[]} bytes
 * @property {number} bits
 */

const LONGEST = 64;
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
const BITS = /^(?:0|[1-9][0-9]{0,2})$/;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

/**
 * The bytes of an address as it is written in decimal or hexadecimal; undefined for anything else: names of zones,
 * brackets, ports, leading zeros, shortened IPv4.
 * @param {string} text
 * @returns {number[] | undefined}
 */
export function address(text) {
  if (text.length > LONGEST) return undefined;
  const bytes = text.includes(":") ? six(text) : four(text);
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/**
 * The network that a text names, such as `192.0.2.0/24` or `2001:db8::/32`; an address alone is a network of one.
 * Else in a word why not: `address`, or `beyond` for an address with bits beyond the network's.
 * @param {string} text
 * @returns {Network | "address" | "beyond"}
 */
export function network(text) {
  const [before, after, ...more] = text.slice(0, LONGEST + 1).split("/");
  const full = before.includes(":") ? 128 : 32;
  const bytes = address(before);
  if (!bytes || more.length > 0 || (after !== undefined && !BITS.test(after))) return "address";
  const written = after === undefined ? full : Number(after);
  const bits = written - (full - bytes.length * 8);
  if (written > full || bits < 0) return "address";
  return bytes.every((byte, at) => (byte & ~mask(bits, at)) === 0) ? { bytes, bits } : "beyond";
}

/**
 * Whether an address lies in a network.
 * @param {Network} within
 * @param {number[]} bytes
 */
export function holds(within, bytes) {
  return within.bytes.length === bytes.length && within.bytes.every((byte, at) => byte === (bytes[at] & mask(within.bits, at)));
}

/**
 * The bits of a network that lie in one of its bytes.
 * @param {number} bits
 * @param {number} at
 */
function mask(bits, at) {
  const here = Math.min(8, Math.max(0, bits - 8 * at));
  return (0xff << (8 - here)) & 0xff;
}

/** @param {string} text */
function four(text) {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((each) => OCTET.test(each) && Number(each) < 256)) return undefined;
  return octets.map(Number);
}

/** @param {string} text */
function six(text) {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => groups(half, at === halves.length - 1));
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  if (tail ? missing < 2 : missing !== 0) return undefined;
  return [...head, ...Array(missing).fill(0), ...(tail ?? [])];
}

/**
 * @param {string} text
 * @param {boolean} last   whether an IPv4 address may end it
 */
function groups(text, last) {
  if (text === "") return [];
  const parts = text.split(":");
  const end = last && parts[parts.length - 1].includes(".") ? four(parts.pop() ?? "") : [];
  if (!end || !parts.every((each) => GROUP.test(each))) return undefined;
  return [...parts.flatMap((each) => [parseInt(each, 16) >> 8, parseInt(each, 16) & 255]), ...end];
}

/** @param {number[]} bytes */
function isMapped(bytes) {
  return bytes.length === 16 && MAPPED.every((byte, at) => bytes[at] === byte);
}
