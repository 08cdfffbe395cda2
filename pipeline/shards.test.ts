import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bytesOfHash,
  dayOfSessionKey,
  HASH_BYTES,
  IdHash,
  newShardHashSecret,
  sessionKey,
  STATE_FORMAT,
  textOfHash,
  userKey,
} from "./shards";

const SECRET = "00112233445566778899aabbccddeeff";

function userKeyOf(id: string, secret = SECRET): string {
  const hash = new IdHash(secret);
  hash.update(id);
  return userKey(hash);
}
function sessionKeyOf(day: number, id: string, isBot = false): string {
  const hash = new IdHash(SECRET);
  hash.update(id);
  return sessionKey(day, isBot, hash);
}

describe("keys of state", () => {
  it("ids keep the keys that running jobs of formats 2 and 3 have stored their state under", () => {
    assert.equal(STATE_FORMAT, 3);
    const known: [id: string, key: string][] = [
      ["", "KT70YwLEsTZbJlA830L8uQ"],
      ["user-1", "JV4_M0o0NKms8bUuQk3JcA"],
      ["user-2", "pv1QOvCWDjDpR-bu0rK15g"],
      ["ü|,;😀", "3ZHeLWAqbuhXyxjuHZBYlw"],
    ];
    for (const [id, key] of known) {
      assert.equal(userKeyOf(id), key);
      assert.equal(sessionKeyOf(19_860, id), `19860|${key}`);
      assert.equal(sessionKeyOf(19_860, id, true), `19860b|${key}`);
    }
  });

  it("keys differ for different ids, days and secrets, and are equal for equal ones", () => {
    const ids = fc.string({ unit: "grapheme", maxLength: 300 });
    fc.assert(
      fc.property(ids, ids, fc.nat(40_000), (one, other, day) => {
        assert.equal(userKeyOf(one) === userKeyOf(other), one === other);
        assert.equal(userKeyOf(one), userKeyOf(one));
        assert.notEqual(userKeyOf(one), userKeyOf(one, newShardHashSecret()));
        assert.notEqual(sessionKeyOf(day, one), sessionKeyOf(day + 1, one));
        assert.match(userKeyOf(one), /^[\w-]{22}$/);
      }),
    );
  });

  it("the day of a session, and whether it is one of a bot, are read from its key, and other texts are an error", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 100_000 }), fc.string(), fc.boolean(), (day, id, isBot) => {
        assert.deepEqual(dayOfSessionKey(sessionKeyOf(day, id, isBot)), { day, isBot });
      }),
    );
    for (const wrong of ["", "u17", "|5", "b|5", "1.5|2", "19860", "x|y", "19860bb|5"]) {
      assert.throws(() => dayOfSessionKey(wrong), /is not the key of a session/, wrong);
    }
  });

  it("the text of a hash and its bytes are the same hash", () => {
    const hash = new IdHash(SECRET);
    hash.update("user-1");
    assert.equal(bytesOfHash(hash.text).length, HASH_BYTES);
    assert.equal(textOfHash(bytesOfHash(hash.text)), hash.text);
  });

  it("a wrong secret is an error that does not contain it", () => {
    assert.throws(
      () => new IdHash("wrong-secret"),
      (error: Error) => !error.message.includes("wrong-secret"),
    );
  });
});
