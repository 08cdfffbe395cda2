import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { bundleParDo, count, type BundleDoFn, type Emit, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { log } from "@eventlogger/beam/worker/log";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import { DeadLetterFiles } from "../../deadLetters/deadLetterFiles";
import { deadLetterRow } from "./sinkRows";
import { WriteRows, type TableTarget } from "./writeRows";

/** Dead letters are collected up to this size, so that one write to the disk serves many; characters. */
const MAX_PENDING = 4_000_000;

/** One for each folder, shared by the steps of a worker. */
const filesOfFolders = new Map<string, DeadLetterFiles>();

function filesOf(folder: string): DeadLetterFiles {
  let files = filesOfFolders.get(folder);
  if (!files) filesOfFolders.set(folder, (files = new DeadLetterFiles(folder)));
  return files;
}

/**
 * Writes dead letters to files on this machine, and then to the table. The files survive when the table is lost, or when
 * something else answers instead of BigQuery. The bundle fails when one of both fails.
 */
export class WriteDeadLetters implements BundleDoFn<DeadLetter, DeadLetter> {
  private rows: WriteRows<"dead_letters"> | undefined;
  private pending: DeadLetter[] = [];
  private pendingLength = 0;
  private hasNoRoom = false;

  constructor(
    readonly target: TableTarget,
    /** Folder of the files; absolute. */
    readonly folder: string,
    /** See {@link WriteRows}. */
    readonly retryForMs?: number,
  ) {}

  process(deadLetter: DeadLetter, emit: Emit<DeadLetter>): void | Promise<void> {
    this.pending.push(deadLetter);
    this.pendingLength += deadLetter.payload.length;
    if (this.pendingLength >= MAX_PENDING) return this.write(emit);
  }

  async finishBundle(emit: EmitTimestamped<DeadLetter>): Promise<void> {
    await this.write(() => {});
    await this.rows?.finishBundle(emit);
  }

  bundleFailed(): void {
    this.pending = [];
    this.pendingLength = 0;
    this.rows?.bundleFailed();
  }

  private async write(emit: Emit<DeadLetter>): Promise<void> {
    const { pending } = this;
    if (pending.length === 0) return;
    this.pending = [];
    this.pendingLength = 0;
    await this.copy(pending);
    this.rows ??= new WriteRows(this.target, "dead_letters", this.retryForMs);
    for (const deadLetter of pending) await this.rows.process(deadLetter, emit);
  }

  private async copy(deadLetters: readonly DeadLetter[]): Promise<void> {
    const { appended, skipped, removed } = await filesOf(this.folder).append(deadLetters.map(deadLetterRow));
    count("deadLetterCopies", appended);
    if (removed.length) {
      count("deadLetterCopies.removedFiles", removed.length);
      log.warn(`The copies of dead letters have reached their limit. Removed the oldest: ${removed.join(", ")}`);
    }
    if (skipped) {
      count("deadLetterCopies.skipped", skipped);
      if (!this.hasNoRoom) {
        log.warn(
          `The copies of today's dead letters in ${this.folder} have reached their limit: only the table has more`,
        );
      }
    }
    this.hasNoRoom = skipped > 0;
  }
}

/** Writes dead letters by streaming inserts, and before to files in a folder of the worker's machine. Emits nothing. */
export function writeDeadLetters(
  name: string,
  target: TableTarget,
  folder: string,
): PTransform<PCollection<DeadLetter>, PCollection<DeadLetter>> {
  return bundleParDo(name, new WriteDeadLetters(target, folder), new GeneralObjectCoder<DeadLetter>());
}

registerModule(module);
