import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { eventually } from "../../testing/fixture";
import { WatchedKeys } from "./watchedKeys";

describe("WatchedKeys", () => {
  let directory: string;
  let path: string;
  let lines: string[];
  let keys: WatchedKeys | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "keys-"));
    path = join(directory, "keys");
    lines = [];
  });
  afterEach(() => {
    keys?.close();
    rmSync(directory, { recursive: true });
  });

  function open(text: string, pollMs = 10): WatchedKeys {
    writeFileSync(path, text);
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    keys = new WatchedKeys({ path, purpose: "write", logger, pollMs });
    return keys;
  }

  /** By rename: a reader of a file that is written in place may see it empty. */
  function replace(text: string): void {
    writeFileSync(`${path}.next`, text);
    renameSync(`${path}.next`, path);
  }

  it("WatchedKeys refuses to start with an invalid file", () => {
    assert.throws(() => open("two words"), /line 1/);
  });

  it("WatchedKeys reloads a file that is rewritten in place or replaced by rename", async () => {
    const opened = open("old");
    writeFileSync(path, "old\nnew");
    await eventually(() => opened.nameOf("new") === "key-2", "the second key");
    assert.equal(opened.nameOf("old"), "key-1");
    writeFileSync(`${path}.next`, '{"shop":"new"}');
    renameSync(`${path}.next`, path);
    await eventually(() => opened.nameOf("old") === undefined, "the first key is gone");
    assert.equal(opened.nameOf("new"), "shop");
    assert.equal(opened.size, 1);
  });

  it("WatchedKeys reloads when the symbolic link of a mounted secret changes", async () => {
    for (const version of ["1", "2"]) {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, "keys"), `key-of-${version}`);
    }
    symlinkSync("1", join(directory, "data"));
    symlinkSync("data/keys", path);
    const logger = pino({ level: "silent" });
    const opened = (keys = new WatchedKeys({ path, purpose: "write", logger, pollMs: 10 }));
    assert.equal(opened.nameOf("key-of-1"), "key-1");
    symlinkSync("2", join(directory, "data.next"));
    renameSync(join(directory, "data.next"), join(directory, "data"));
    await eventually(() => opened.nameOf("key-of-2") === "key-1", "the key of the second version");
    assert.equal(opened.nameOf("key-of-1"), undefined);
  });

  it("WatchedKeys keeps its keys while the file is invalid or missing, and logs each problem once, without keys", async () => {
    const opened = open("old-secret");
    replace("secret\nsecret");
    await eventually(() => lines.length === 1, "a line");
    assert.ok(opened.isStale);
    unlinkSync(path);
    await eventually(() => lines.length === 2, "a second line");
    await sleep(50);
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /"level":50.*line 2: duplicate key.*write keys were not changed/);
    assert.match(lines[1] ?? "", /"level":50.*ENOENT/);
    assert.equal(opened.nameOf("old-secret"), "key-1");
    assert.equal(opened.nameOf("secret"), undefined);
    replace("new-secret");
    await eventually(() => opened.nameOf("new-secret") === "key-1", "the new key");
    assert.ok(!opened.isStale);
    assert.match(lines[2] ?? "", /"level":30.*write keys changed/);
    assert.doesNotMatch(lines.join(), /secret/);
  });

  it("WatchedKeys reloads immediately when asked", async () => {
    const opened = open("old", 3_600_000);
    writeFileSync(path, "new");
    await opened.reload();
    assert.equal(opened.nameOf("new"), "key-1");
  });
});
