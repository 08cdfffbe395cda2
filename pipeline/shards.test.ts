import assert from "node:assert/strict";
import fc from "fast-check";
import { dayOfSessionKey, IdHash, newShardHashSecret, sessionKey, STATE_FORMAT, userKey } from "./shards";

const SECRET = "00112233445566778899aabbccddeeff";

function userKeyOf(id: string, secret = SECRET): string {
  const hash = new IdHash(secret);
  hash.update(id);
  return userKey(hash);
}
function sessionKeyOf(day: number, id: string): string {
  const hash = new IdHash(SECRET);
  hash.update(id);
  return sessionKey(day, hash);
}

describe("keys of state", () => {
  it("ids keep the keys that running jobs of format 2 have stored their state under", () => {
    assert.equal(STATE_FORMAT, 2);
    const known: [id: string, key: string][] = [
      ["", "KT70YwLEsTZbJlA830L8uQ"],
      ["user-1", "JV4_M0o0NKms8bUuQk3JcA"],
      ["user-2", "pv1QOvCWDjDpR-bu0rK15g"],
      ["ü|,;😀", "3ZHeLWAqbuhXyxjuHZBYlw"],
    ];
    for (const [id, key] of known) {
      assert.equal(userKeyOf(id), key);
      assert.equal(sessionKeyOf(19_860, id), `19860|${key}`);
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

  it("the day of a session is read from its key, and other texts are an error", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 100_000 }), fc.string(), (day, id) => {
        assert.equal(dayOfSessionKey(sessionKeyOf(day, id)), day);
      }),
    );
    for (const wrong of ["", "u17", "|5", "1.5|2", "19860", "x|y"]) {
      assert.throws(() => dayOfSessionKey(wrong), /is not the key of a session/, wrong);
    }
  });

  it("a wrong secret is an error that does not contain it", () => {
    assert.throws(
      () => new IdHash("wrong-secret"),
      (error: Error) => !error.message.includes("wrong-secret"),
    );
  });
});
