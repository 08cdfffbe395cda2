import assert from "node:assert/strict";
import { dayOfSessionShard, SESSION_SHARDS_PER_DAY, sessionShard, USER_SHARDS, userShard } from "./shards";

describe("shards", () => {
  it("ids keep the shards that running jobs have stored them under", () => {
    assert.equal(USER_SHARDS, 1024);
    assert.equal(SESSION_SHARDS_PER_DAY, 256);
    const known: [id: string, userKey: string, sessionKey: string][] = [
      ["", "u257", "19860|1"],
      ["a", "u199", "19860|199"],
      ["user-1", "u55", "19860|55"],
      ["user-2", "u831", "19860|63"],
      ["ü|,;😀", "u22", "19860|22"],
    ];
    for (const [id, userKey, sessionKey] of known) {
      assert.equal(userShard(id), userKey);
      assert.equal(sessionShard(19_860, id), sessionKey);
    }
  });

  it("similar ids spread over all shards", () => {
    const users = new Set(Array.from({ length: 20_000 }, (_, i) => userShard(`user-${i}`)));
    assert.equal(users.size, USER_SHARDS);
    const sessions = new Set(Array.from({ length: 5000 }, (_, i) => sessionShard(19_860, `session-${i}`)));
    assert.equal(sessions.size, SESSION_SHARDS_PER_DAY);
  });

  it("the day of a session shard is read from its key, and other texts are an error", () => {
    assert.equal(dayOfSessionShard(sessionShard(19_860, "a|b")), 19_860);
    assert.equal(dayOfSessionShard("0|0"), 0);
    for (const wrong of ["", "u17", "|5", "1|", "1.5|2", "19860"]) {
      assert.throws(() => dayOfSessionShard(wrong), /is not the key of a session shard/, wrong);
    }
  });
});
