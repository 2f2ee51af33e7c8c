// @ts-check
/** Notes that only their passphrase opens: PBKDF2 makes the key, AES-GCM seals, each note bound to its place. Random numbers are given. */

/** How often the passphrase is hashed: OWASP asks for 600,000 at least. */
export const ROUNDS = 1_000_000;
/** More would take minutes: nothing of ours was sealed so. */
const MOST_ROUNDS = 10 * ROUNDS;

/** @typedef {{iv: string, data: string}} Sealed */
/** @typedef {{salt: string, rounds: number, proof: Sealed}} Lock */

/**
 * Whether a passphrase can be tried on it.
 * @param {any} lock
 * @returns {lock is Lock}
 */
export function isLock(lock) {
  try {
    const { salt, rounds, proof } = lock;
    const written = [salt, proof.iv, proof.data].every((each) => typeof each === "string" && decoded(each).length > 0);
    return written && Number.isInteger(rounds) && rounds > 0 && rounds <= MOST_ROUNDS;
  } catch {
    return false;
  }
}

/**
 * @param {string} passphrase
 * @param {string} salt     base 64
 * @param {number} rounds
 * @returns {Promise<string>}   256 bits, base 64
 */
export async function keyOf(passphrase, salt, rounds) {
  const typed = new TextEncoder().encode(passphrase.normalize("NFKC"));
  const from = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveBits"]);
  return coded(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: decoded(salt), iterations: rounds }, from, 256));
}

/**
 * @param {string} key
 * @param {string} place    where it is kept: it opens nowhere else
 * @param {unknown} value
 * @param {string} iv       96 random bits, base 64, never used before
 * @returns {Promise<Sealed>}
 */
export async function seal(key, place, value, iv) {
  const data = await crypto.subtle.encrypt(by(iv, place), await made(key, "encrypt"), new TextEncoder().encode(JSON.stringify(value)));
  return { iv, data: coded(data) };
}

/**
 * @param {string} key
 * @param {string} place
 * @param {unknown} sealed
 * @returns {Promise<any>}   undefined where it is another key, another place, or not as it was sealed
 */
export async function open(key, place, sealed) {
  try {
    const { iv, data } = /** @type {Sealed} */ (sealed);
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(by(iv, place), await made(key, "decrypt"), decoded(data))));
  } catch {
    return undefined;
  }
}

/** @param {string} iv @param {string} place */
const by = (iv, place) => ({ name: "AES-GCM", iv: decoded(iv), additionalData: new TextEncoder().encode(place) });

/** @param {string} key @param {KeyUsage} use */
const made = (key, use) => crypto.subtle.importKey("raw", decoded(key), "AES-GCM", false, [use]);

/** @param {ArrayBuffer | Uint8Array<ArrayBuffer>} bytes */
export function coded(bytes) {
  let text = "";
  for (const each of new Uint8Array(bytes)) text += String.fromCharCode(each);
  return btoa(text);
}

/** @param {string} text */
function decoded(text) {
  return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
