import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { DeadLetterFileError, DeadLetterFiles, deadLetterFolders } from "./deadLetterFiles";
import { DeadLetterFolders } from "./deadLetterSource";
import { readDeadLetterFiles, type UnreadableLine } from "./readDeadLetterFiles";

const letter = (source: string, failed_at = "2026-03-01T10:00:00.000Z"): DeadLetterRow => ({
  error_type: "not_json",
  error_message: "The message is not JSON",
  payload: `payload of ${source}\nwith "quotes", 👩‍🚀 and a line`,
  payload_encoding: "utf8",
  source,
  failed_at,
});
const FIRST_DAY = Date.parse("2026-03-01T23:00:00Z");
const SECOND_DAY = Date.parse("2026-03-02T01:00:00Z");

describe("The files of dead letters", () => {
  let directory: string;
  let folder: string;
  let now: number;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "dead-letters-"));
    folder = path.join(directory, "state", "dead-letters");
    now = FIRST_DAY;
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Like a new process. */
  const open = (maxBytes?: number): DeadLetterFiles => new DeadLetterFiles(folder, maxBytes, () => now);

  async function read(): Promise<{ sources: string[]; unreadable: UnreadableLine[] }> {
    const unreadable: UnreadableLine[] = [];
    const sources: string[] = [];
    for await (const { source } of readDeadLetterFiles([folder], (line) => unreadable.push(line))) sources.push(source);
    return { sources, unreadable };
  }

  it("are read in the folders of every generation, each dead letter once and the newest last", async () => {
    const state = path.dirname(folder);
    const at = (time: string): string => `2026-03-01T${time}:00.000Z`;
    await open().append([letter("first", at("10:00")), letter("both", at("12:00"))]);
    for (const [name, source, time] of [
      ["generation-2", "second", "11:00"],
      ["generation-10", "tenth", "09:00"],
      ["generation-x", "of nobody", "13:00"],
    ] as const) {
      const other = new DeadLetterFiles(path.join(state, name, "dead-letters"), undefined, () => now);
      await other.append([letter(source, at(time)), letter("both", at("12:00"))]);
    }
    // A generation whose run has written no dead letter.
    mkdirSync(path.join(state, "generation-3"));
    const folders = await deadLetterFolders(state);
    assert.deepEqual(
      folders.map((name) => path.relative(state, name)),
      ["dead-letters", ...[2, 3, 10].map((generation) => `generation-${generation}/dead-letters`)],
    );
    const source = new DeadLetterFolders(folders, () => assert.fail("a line is unreadable"));
    const all = { errorTypes: [], since: undefined, until: undefined };
    for (const [limit, expected] of [
      [10, ["tenth", "first", "second", "both"]],
      [2, ["second", "both"]],
      [1, ["both"]],
    ] as const) {
      const { letters, total } = await source.newest(all, limit);
      assert.equal(total, 4);
      assert.deepEqual(
        letters.map((found) => found.source),
        expected,
      );
    }
  });

  it("are read as they were written, with a file for each UTC day", async () => {
    const files = open();
    await files.append([letter("a"), letter("b")]);
    now = SECOND_DAY;
    await files.append([letter("c")]);
    assert.deepEqual(readdirSync(folder), ["2026-03-01.ndjson", "2026-03-02.ndjson"]);
    const rows: DeadLetterRow[] = [];
    for await (const { id, ...row } of readDeadLetterFiles([folder], () => assert.fail("a line is unreadable"))) {
      assert.match(id, /^[\w-]{43}$/);
      rows.push(row);
    }
    assert.deepEqual(rows, [letter("a"), letter("b"), letter("c")]);
  });

  it("can be read only by their owner", async () => {
    await open().append([letter("a")]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(path.join(folder, "2026-03-01.ndjson")).mode & 0o777, 0o600);
  });

  it("contain a redelivered message once, also after a restart", async () => {
    await open().append([letter("a"), letter("b")]);
    const restarted = open();
    const again = letter("b", "2026-03-01T11:00:00.000Z");
    assert.deepEqual(await restarted.append([again, letter("c"), letter("c")]), {
      appended: 1,
      skipped: 0,
      removed: [],
    });
    assert.equal(readFileSync(path.join(folder, "2026-03-01.ndjson"), "utf8").split("\n").length, 3 + 1);
    assert.deepEqual(await read(), { sources: ["a", "b", "c"], unreadable: [] });
  });

  it("are complete when several bundles write at the same time", async () => {
    const files = open();
    const bundles = Array.from({ length: 20 }, (_, i) => files.append([letter(`${i}`), letter(`${i}+`)]));
    await Promise.all(bundles);
    assert.equal((await read()).sources.length, 40);
  });

  it("keep later dead letters readable after a line was cut off, and the reader names that line", async () => {
    await open().append([letter("a")]);
    const file = path.join(folder, "2026-03-01.ndjson");
    appendFileSync(file, '{"id":"x","error_type":"not_js');
    await open().append([letter("b")]);
    appendFileSync(file, '{"id":"x"}\n');
    assert.deepEqual(await read(), { sources: ["a", "b"], unreadable: [2, 4].map((line) => ({ file, line })) });
  });

  it("lose the oldest day when they reach their limit, and report it", async () => {
    const bytes = Buffer.byteLength(JSON.stringify({ id: "x".repeat(43), ...letter("a") })) + 1;
    const files = open(2 * bytes);
    await files.append([letter("a")]);
    now = SECOND_DAY;
    await files.append([letter("b")]);
    assert.deepEqual(await files.append([letter("c")]), {
      appended: 1,
      skipped: 0,
      removed: [path.join(folder, "2026-03-01.ndjson")],
    });
    assert.deepEqual((await read()).sources, ["b", "c"]);
    // Of today nothing is removed.
    assert.deepEqual(await files.append([letter("d")]), { appended: 0, skipped: 1, removed: [] });
    assert.deepEqual((await read()).sources, ["b", "c"]);
  });

  it("make the bundle fail when they cannot be written, and can be written later", async () => {
    mkdirSync(path.dirname(folder), { recursive: true });
    writeFileSync(folder, "not a folder");
    const files = open();
    await assert.rejects(files.append([letter("a")]), (error: Error) => {
      assert(error instanceof DeadLetterFileError);
      assert.match(error.message, /^Could not write 1 dead letter to .*EEXIST.*The bundle fails/);
      return true;
    });
    rmSync(folder);
    assert.equal((await files.append([letter("a")])).appended, 1);
  });

  it("need not exist to be read", async () => {
    assert.deepEqual(await read(), { sources: [], unreadable: [] });
  });
});
