import assert from "node:assert/strict";
import {
  dayOfSessionShard,
  newShardHashSecret,
  SESSION_SHARDS_PER_DAY,
  sessionShard,
  shardHash,
  USER_SHARDS,
  userShard,
} from "./shards";

const unkeyed = shardHash(undefined);
const SECRET = "00112233445566778899aabbccddeeff";

describe("shards", () => {
  const withoutSecret: [id: string, userKey: string, sessionKey: string][] = [
    ["", "u257", "19860|1"],
    ["a", "u199", "19860|199"],
    ["user-1", "u55", "19860|55"],
    ["user-2", "u831", "19860|63"],
    ["ü|,;😀", "u22", "19860|22"],
  ];
  const withSecret: [id: string, userKey: string, sessionKey: string][] = [
    ["", "u181", "19860|181"],
    ["a", "u343", "19860|87"],
    ["user-1", "u726", "19860|214"],
    ["user-2", "u946", "19860|178"],
    ["ü|,;😀", "u911", "19860|143"],
  ];
  for (const [name, secret, known] of [
    ["without a secret, of earlier releases,", undefined, withoutSecret],
    ["with a secret", SECRET, withSecret],
  ] as const) {
    it(`ids keep the shards that running jobs ${name} have stored them under`, () => {
      assert.equal(USER_SHARDS, 1024);
      assert.equal(SESSION_SHARDS_PER_DAY, 256);
      const hash = shardHash(secret);
      for (const [id, userKey, sessionKey] of known) {
        assert.equal(userShard(hash, id), userKey);
        assert.equal(sessionShard(hash, 19_860, id), sessionKey);
      }
    });
  }

  it("ids that are all in one shard without a secret spread over all shards with any secret", () => {
    const ids: string[] = [];
    for (let i = 0; ids.length < 3000; i++) if (sessionShard(unkeyed, 0, `id-${i}`) === "0|0") ids.push(`id-${i}`);
    for (const secret of [newShardHashSecret(), newShardHashSecret()]) {
      const shards = new Map<string, number>();
      for (const id of ids) {
        const shard = sessionShard(shardHash(secret), 0, id);
        shards.set(shard, (shards.get(shard) ?? 0) + 1);
      }
      assert(shards.size > 250, `${shards.size} shards`);
      assert(Math.max(...shards.values()) < 50, `${Math.max(...shards.values())} ids in one shard`);
    }
  });

  it("two secrets assign the same ids to different shards", () => {
    const ids = Array.from({ length: 1000 }, (_, i) => `id-${i}`);
    const [one, other] = [shardHash(newShardHashSecret()), shardHash(newShardHashSecret())];
    const equal = ids.filter((id) => userShard(one, id) === userShard(other, id));
    assert(equal.length < 20, `${equal.length} of 1000 ids`);
  });

  it("similar ids spread over all shards", () => {
    for (const hash of [unkeyed, shardHash(SECRET)]) {
      const users = new Set(Array.from({ length: 20_000 }, (_, i) => userShard(hash, `user-${i}`)));
      assert.equal(users.size, USER_SHARDS);
      const sessions = new Set(Array.from({ length: 5000 }, (_, i) => sessionShard(hash, 19_860, `session-${i}`)));
      assert.equal(sessions.size, SESSION_SHARDS_PER_DAY);
    }
  });

  it("the day of a session shard is read from its key, and other texts are an error", () => {
    assert.equal(dayOfSessionShard(sessionShard(unkeyed, 19_860, "a|b")), 19_860);
    assert.equal(dayOfSessionShard("0|0"), 0);
    for (const wrong of ["", "u17", "|5", "1|", "1.5|2", "19860"]) {
      assert.throws(() => dayOfSessionShard(wrong), /is not the key of a session shard/, wrong);
    }
  });
});
