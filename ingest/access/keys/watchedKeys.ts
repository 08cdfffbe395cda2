import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { parseKeys } from "./keyFile";
import type { Purpose } from "./presentedKey";
import { KeySet, type Keys } from "./keySet";

/** How often the file is read, ms. */
const POLL_MS = 1000;

export interface WatchedKeysOptions {
  readonly path: string;
  /** For logs. */
  readonly purpose: Purpose;
  readonly logger: Logger;
  /** How often the file is read, ms. @default 1000 */
  readonly pollMs?: number;
}

/**
 * The current keys of a file. It polls the file instead of watching it: polling detects every way to replace a file
 * (writing in place, renaming, changing a link, on any file system) and costs one small read per second.
 */
export class WatchedKeys implements Keys {
  private keys: KeySet;
  private names: readonly string[];
  private stale = false;
  /** Fingerprint of the last content, valid or not, so that each content is logged once. */
  private seen: string;
  private readonly timer: NodeJS.Timeout;
  /** Reads run one after the other, so that an older content never replaces a newer one. */
  private reading = Promise.resolve();
  private pending = 0;

  /** @throws Error when the file cannot be read or contains no valid keys. */
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

  /** Whether the file has become invalid, so that the previous keys are in use. */
  get isStale(): boolean {
    return this.stale;
  }

  /** Reads the file now. If it is invalid, the keys stay as they are and the reason is logged. Never rejects. */
  reload(): Promise<void> {
    this.pending++;
    this.reading = this.reading.then(() => this.read()).finally(() => this.pending--);
    return this.reading;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private poll(): void {
    // So that reads do not pile up on a file system that hangs.
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
      logger.info({ file: path, names: [...new Set(this.names)] }, `${purpose} keys changed`);
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      if (code !== undefined && !this.isNew(message)) return;
      this.stale = true;
      logger.error({ file: path, reason: message }, `${purpose} keys were not changed: the file is invalid`);
    }
  }

  private isNew(state: string): boolean {
    if (state === this.seen) return false;
    this.seen = state;
    return true;
  }
}

const fingerprint = (text: string): string => createHash("sha256").update(text).digest("base64");
