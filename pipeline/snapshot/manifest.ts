import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { UserError } from "@eventlogger/process/main";
import { STATE_FORMAT } from "../shards";

/** Version of the layout of snapshots. */
export const SNAPSHOT_FORMAT = 1;

/** The manifest is the last file of a snapshot: an archive without it is incomplete. */
export const MANIFEST = "manifest.json";

/** A file of a snapshot. */
export interface SnapshotFile {
  /** Size, bytes. */
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** What a snapshot contains. Without the secret of the state, which is in its `settings.json`. */
export interface Manifest {
  readonly format: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Version of the release that made the snapshot. */
  readonly release: string;
  /** See `STATE_FORMAT`. */
  readonly stateFormat: number;
  /** Version of Flink that wrote the checkpoint, as `1.19.3`. */
  readonly flink: string;
  /** `rocksdb` or `heap`. */
  readonly stateBackend: string;
  /** Id of the state; in the tables, too. */
  readonly state: string;
  /** Number of the newest run when the snapshot was made. */
  readonly run: number;
  /** Number of the checkpoint. */
  readonly checkpoint: number;
  /** ISO 8601. When the checkpoint was recorded. */
  readonly recordedAt: string;
  /**
   * ISO 8601. Every event that was published before is in the state, so that only later ones must be replayed; null: unknown,
   * because the run had not reported it.
   */
  readonly publishedUntil: string | null;
  /** By the name in the archive. */
  readonly files: Readonly<Record<string, SnapshotFile>>;
}

/** A snapshot cannot be made or used. The message says why. */
export class SnapshotError extends UserError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SnapshotError";
  }
}

/** The version of Flink that this release runs. */
export function flinkVersion(): string {
  const pom = path.join(packageRootOf(require.resolve("@eventlogger/beam")), "flink", "pom.xml");
  const [, version] = /<flink\.version>([\d.]+)<\/flink\.version>/.exec(readFileSync(pom, "utf8")) ?? [];
  if (version === undefined) throw new Error(`${pom} names no version of Flink`);
  return version;
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value);

function isFile(value: unknown): value is SnapshotFile {
  const file = value as Partial<SnapshotFile> | null;
  return typeof file === "object" && isNumber(file?.bytes) && /^[0-9a-f]{64}$/.test(file.sha256 ?? "");
}

function isManifest(value: unknown): value is Manifest {
  const m = value as Partial<Manifest> | null;
  return (
    typeof m === "object" &&
    m !== null &&
    [m.createdAt, m.release, m.flink, m.stateBackend, m.state, m.recordedAt].every(isText) &&
    [m.format, m.stateFormat, m.run, m.checkpoint].every(isNumber) &&
    (m.publishedUntil === null || isText(m.publishedUntil)) &&
    typeof m.files === "object" &&
    m.files !== null &&
    Object.values(m.files).every(isFile)
  );
}

const minorOf = (version: string): readonly [number, number] => {
  const [major = "0", minor = "0"] = version.split(".");
  return [Number(major), Number(minor)];
};

/** Whether Flink `version` may be too old for what Flink `written` wrote. Flink reads what its own and earlier releases wrote. */
function isOlder(version: string, written: string): boolean {
  const [a, b] = [minorOf(version), minorOf(written)];
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

/**
 * Reads a manifest.
 * @param name of the snapshot, for messages
 * @throws SnapshotError when it is not a manifest, or this release cannot use the snapshot
 */
export function parseManifest(text: string, name: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SnapshotError(`${name} is damaged: ${MANIFEST} is not JSON (${(error as Error).message})`);
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (format !== SNAPSHOT_FORMAT) {
    throw new SnapshotError(
      `${name} has format ${String(format)}, but this release reads format ${SNAPSHOT_FORMAT}. Restore it with the release that ` +
        "made it",
    );
  }
  if (!isManifest(value)) throw new SnapshotError(`${name} is damaged: ${MANIFEST} is not a manifest of a snapshot`);
  if (value.stateFormat !== STATE_FORMAT) {
    throw new SnapshotError(
      `${name} contains state of format ${value.stateFormat}, but this release reads format ${STATE_FORMAT}. Restore it with ` +
        `release ${value.release}, which made it, or make the numbers again with \`eventlogger rebuild\``,
    );
  }
  if (isOlder(flinkVersion(), value.flink)) {
    throw new SnapshotError(
      `${name} was written by Flink ${value.flink}, and this release runs Flink ${flinkVersion()}, which may not read it. ` +
        `Restore it with release ${value.release}, which made it`,
    );
  }
  return value;
}
