/** Only the passphrase opens what is kept, and only where it was kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ROUNDS, coded, isLock, keyOf, open, seal } from "../lib/sealed.js";

const SALT = coded(new Uint8Array(16).fill(7));
const IV = coded(new Uint8Array(12).fill(9));
const few = (passphrase, salt = SALT) => keyOf(passphrase, salt, 10);

test("what was sealed opens, and looks like nothing before", async () => {
  const key = await few("a long passphrase");
  const sealed = await seal(key, "note 1", { text: "héllo 😀" }, IV);
  assert.deepEqual(await open(key, "note 1", sealed), { text: "héllo 😀" });
  assert.doesNotMatch(atob(sealed.data), /llo/u);
});

test("another passphrase, place or salt, or a changed byte, opens nothing", async () => {
  const key = await few("a long passphrase");
  const sealed = await seal(key, "note 1", "text", IV);
  assert.equal(await open(await few("a long passphrasE"), "note 1", sealed), undefined);
  assert.equal(await open(await few("a long passphrase", coded(new Uint8Array(16))), "note 1", sealed), undefined);
  assert.equal(await open(key, "note 2", sealed), undefined);
  const bytes = atob(sealed.data);
  const other = btoa(String.fromCharCode(bytes.charCodeAt(0) ^ 1) + bytes.slice(1));
  assert.equal(await open(key, "note 1", { ...sealed, data: other }), undefined);
  for (const odd of [undefined, null, "", {}, { iv: "*", data: 3 }]) assert.equal(await open(key, "note 1", odd), undefined);
});

test("it is hashed at least 600,000 times, and the same letters written otherwise are the same passphrase", async () => {
  assert.ok(ROUNDS >= 600_000);
  assert.equal(await few("é"), await few("e\u0301"));
  const slow = performance.now();
  await keyOf("a", SALT, ROUNDS);
  assert.ok(performance.now() - slow > 50);
});

test("a large note is sealed too", async () => {
  const key = await few("p");
  const text = "x".repeat(400_000);
  assert.equal(await open(key, "n", await seal(key, "n", text, IV)), text);
});

test("what is no lock is known before a passphrase is asked for", async () => {
  const lock = { salt: SALT, rounds: ROUNDS, proof: await seal(await few("p"), "", "right", IV) };
  assert.ok(isLock(lock));
  const odd = [{ rounds: "many" }, { rounds: 0 }, { rounds: 1.5 }, { rounds: 1e12 }, { rounds: null }, { salt: "%" }, { salt: 7 }, { proof: null }, { proof: { iv: IV } }];
  for (const each of odd) assert.equal(isLock({ ...lock, ...each }), false, JSON.stringify(each));
  for (const each of [undefined, null, "", 7, [], {}]) assert.equal(isLock(each), false);
});
