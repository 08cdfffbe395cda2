import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { listTar, readTarEntry, TarError, TarWriter } from "./tar";

describe("Archives of snapshots", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "tar-"));
    file = path.join(directory, "archive.tar");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function write(entries: Readonly<Record<string, string>>): Promise<void> {
    const handle = await open(file, "wx");
    const tar = new TarWriter(handle);
    for (const [name, text] of Object.entries(entries)) await tar.add(name, text.length, [Buffer.from(text)]);
    await tar.end();
    await handle.close();
  }
  async function using<T>(work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const handle = await open(file, "r");
    return work(handle).finally(() => handle.close());
  }
  const read = (): Promise<Record<string, string>> =>
    using(async (handle) => {
      const contents: Record<string, string> = {};
      for (const entry of await listTar(handle)) {
        let text = "";
        for await (const part of readTarEntry(handle, entry)) text += part.toString();
        contents[entry.name] = text;
      }
      return contents;
    });

  const long = `checkpoints/run-1234/${"0123456789abcdef".repeat(2)}/chk-123456/${"f".repeat(36)}`;
  const entries = { "a.json": "{}", empty: "", block: "x".repeat(512), [long]: "y".repeat(3_000_000) };

  it("an archive is read as it was written, and tar can read it", async () => {
    await write(entries);
    assert.deepEqual(await read(), entries);
    assert.equal(execFileSync("tar", ["-tf", file], { encoding: "utf8" }), Object.keys(entries).join("\n") + "\n");
    assert.equal(execFileSync("tar", ["-xOf", file, "a.json"], { encoding: "utf8" }), "{}");
  });

  it("an archive that tar has written can be read", async () => {
    writeFileSync(path.join(directory, "a"), "content");
    execFileSync("tar", ["--format=gnu", "-C", directory, "-cf", file, "a"]);
    assert.deepEqual(await read(), { a: "content" });
  });

  it("the size of a file of 8 GiB and more is kept", async () => {
    const bytes = 9_000_000_000;
    const handle = await open(file, "wx");
    await assert.rejects(new TarWriter(handle).add("large", bytes, []), /has 0 bytes instead of 9000000000/);
    await handle.close();
    truncateSync(file, 512 + bytes); // sparse
    await using(async (archive) => {
      await assert.rejects(listTar(archive), /ends after 9000000512 bytes, in the middle of what follows large/);
    });
  });

  it("an archive that ends early is refused, wherever it ends", async () => {
    await write(entries);
    for (const bytes of [0, 100, 512, 513, 2048, 1_000_000]) {
      truncateSync(file, Math.min(bytes, 1_000_000));
      await assert.rejects(read(), TarError, String(bytes));
      rmSync(file);
      await write(entries);
    }
  });

  it("a file that is no archive is refused", async () => {
    writeFileSync(file, "x".repeat(2000));
    await assert.rejects(read(), /no header of a file at byte 0/);
  });
});
