import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { parseKeys } from "./keyFile";
import type { Purpose } from "./presentedKey";
import { KeySet, type Keys } from "./keySet";

/** How often the file is looked at, ms. */
const POLL_MS = 1000;

export interface WatchedKeysOptions {
  readonly path: string;
  /** In logs. */
  readonly purpose: Purpose;
  readonly logger: Logger;
  /** How often the file is looked at, ms. @default 1000 */
  readonly pollMs?: number;
}

/**
 * The keys of a file, as it is now. The file is read again and again rather than watched: that sees every way to replace
 * it (written in place, renamed over, the link behind it turned, on any file system) and costs one small read a second.
 */
export class WatchedKeys implements Keys {
  private keys: KeySet;
  private names: readonly string[];
  private stale = false;
  /** Of what was read last, right or wrong, so that each state of the file is told once. */
  private seen: string;
  private readonly timer: NodeJS.Timeout;
  /** The reads, one after the other: an earlier one may have seen the file as it was before. */
  private reading = Promise.resolve();
  private pending = 0;

  /** @throws Error when the file cannot be read or holds no keys. */
  constructor(private readonly options: WatchedKeysOptions) {
    const text = readFileSync(options.path, "utf8");
    const keys = parseKeys(text);
    this.keys = new KeySet(keys);
    this.names = keys.map(({ name }) => name);
    this.seen = fingerprint(text);
    this.timer = setInterval(() => this.poll(), options.pollMs ?? POLL_MS).unref();
  }

  nameOf(presented: string): string | undefined {
    return this.keys.nameOf(presented);
  }

  /** How many keys are valid. */
  get size(): number {
    return this.names.length;
  }

  /** Whether the file has become wrong, so that the keys are those from before. */
  get isStale(): boolean {
    return this.stale;
  }

  /** Reads the file now. When it is wrong, the keys stay as they are, and the log says why. Never rejects. */
  reload(): Promise<void> {
    this.pending++;
    this.reading = this.reading.then(() => this.read()).finally(() => this.pending--);
    return this.reading;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private poll(): void {
    // On a file system that hangs, reads do not pile up.
    if (this.pending === 0) void this.reload();
  }

  private async read(): Promise<void> {
    const { path, purpose, logger } = this.options;
    try {
      const text = await readFile(path, "utf8");
      if (!this.isNew(fingerprint(text))) return;
      const keys = parseKeys(text);
      this.keys = new KeySet(keys);
      this.names = keys.map(({ name }) => name);
      this.stale = false;
      logger.info({ file: path, names: [...new Set(this.names)] }, `${purpose} keys were changed`);
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      if (code !== undefined && !this.isNew(message)) return;
      this.stale = true;
      logger.error({ file: path, reason: message }, `${purpose} keys stay as they were: the file is wrong`);
    }
  }

  private isNew(state: string): boolean {
    if (state === this.seen) return false;
    this.seen = state;
    return true;
  }
}

const fingerprint = (text: string): string => createHash("sha256").update(text).digest("base64");
