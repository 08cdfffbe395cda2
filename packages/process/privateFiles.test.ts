import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { makePrivate } from "./privateFiles";

describe("makePrivate", () => {
  let directory: string;
  let folder: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "private-"));
    folder = path.join(directory, "state");
    mkdirSync(path.join(folder, "checkpoints", "chk-1"), { recursive: true });
    for (const name of ["checkpoints/chk-1/_metadata", "settings.json", "other", "../outside"]) {
      writeFileSync(path.join(folder, name), name);
      chmodSync(path.join(folder, name), 0o644);
    }
    symlinkSync(path.join(directory, "outside"), path.join(folder, "checkpoints", "link"));
    for (const name of ["checkpoints", "checkpoints/chk-1", "."]) chmodSync(path.join(folder, name), 0o755);
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const mode = (name: string): string => (statSync(path.join(folder, name)).mode & 0o7777).toString(8);

  it("removes the permissions of other users from an existing folder and its named entries", () => {
    makePrivate(folder, ["checkpoints", "settings.json", "missing"]);
    assert.deepEqual(
      [".", "checkpoints", "checkpoints/chk-1", "checkpoints/chk-1/_metadata", "settings.json"].map(mode),
      ["700", "700", "700", "600", "600"],
    );
    assert.deepEqual([mode("other"), mode("../outside")], ["644", "644"]);
  });

  it("leaves a folder that others use as it is", () => {
    chmodSync(folder, 0o1777);
    makePrivate(folder, ["checkpoints"]);
    assert.deepEqual([mode("."), mode("checkpoints")], ["1777", "700"]);
    const root = statSync("/").mode;
    makePrivate("/", []);
    assert.equal(statSync("/").mode, root);
  });
});
