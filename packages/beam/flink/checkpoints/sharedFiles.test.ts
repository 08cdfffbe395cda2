import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { sharedFiles, withSharedFolder } from "./sharedFiles";

const JOB = "0123456789abcdef0123456789abcdef";

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** A reference to a file, as Flink writes it. */
function fileHandle(file: string, bytes: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(bytes));
  return Buffer.concat([Buffer.from([2]), size, text(file)]);
}

/** The content of a small file inside of the metadata, as Flink writes it. */
function inlineHandle(file: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([Buffer.from([1]), text(file), length, bytes]);
}

const path = (folder: string, name: string): string => `file:${folder}/${name}`;

/** The metadata of a checkpoint in a folder. */
function metadata(shared: string, files: ReadonlyMap<string, number>, content = "content"): Buffer {
  return Buffer.concat([
    Buffer.from([0x49, 0x60, 0x67, 0x2d, 0, 0, 0, 4]),
    ...[...files].flatMap(([name, bytes], i) => [
      text(`00000${i}.sst`),
      fileHandle(path(shared, name), bytes),
      text(`10000${i}.sst`),
      inlineHandle(path(shared, randomUUID()), content),
    ]),
    Buffer.from([0]),
  ]);
}

describe("Shared files of an incremental checkpoint", () => {
  const files = new Map([
    [randomUUID(), 17_000_000],
    [randomUUID(), 0],
    [randomUUID(), 5_000_000_000],
  ]);
  const folder = `/var/state/checkpoints/run-1/${JOB}/shared`;

  it("the metadata names the shared files with their sizes, without those that it contains itself", () => {
    assert.deepEqual(sharedFiles(metadata(folder, files), JOB), files);
    assert.deepEqual(sharedFiles(metadata(folder.replace(JOB, "another"), files), JOB), new Map());
  });

  it("references in the content of a small file are not references", () => {
    const content = `${path(folder, randomUUID())} ${text(path(folder, randomUUID())).toString("latin1")}`;
    assert.deepEqual(sharedFiles(metadata(folder, files, content), JOB), files);
  });

  for (const moved of ["/x", "/a/folder/with a longer name and ünïcödé 🙂", "/file:/strange"]) {
    it(`references can be changed to a shorter or longer folder and back: ${moved}`, () => {
      const original = metadata(folder, files);
      const there = withSharedFolder(original, JOB, `${moved}/${JOB}/shared`);
      assert.deepEqual(sharedFiles(there, JOB), files);
      assert(!there.equals(original));
      assert(withSharedFolder(there, JOB, folder).equals(original));
    });
  }
});
