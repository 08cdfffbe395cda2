/**
 * Archives in the format of `tar` (ustar of POSIX.1-1988, with GNU's numbers for files of 8 GiB and more), so that a snapshot can
 * be looked into with any tool: https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
import type { FileHandle } from "node:fs/promises";

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const CHECKSUM_AT = 148;
const MAX_OCTAL = 0o77777777777;
/** Bytes that are read or written at a time. */
const CHUNK = 1 << 20;

/** A file in an archive. */
export interface TarEntry {
  readonly name: string;
  /** Size, bytes. */
  readonly bytes: number;
  /** Where the content begins, bytes from the start of the archive. */
  readonly at: number;
}

/** The archive ends too early, or is not one. */
export class TarError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "TarError";
  }
}

const padding = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;

function writeNumber(header: Buffer, value: number, at: number, length: number): void {
  if (value <= MAX_OCTAL) {
    header.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
    return;
  }
  header.writeBigUInt64BE(BigInt(value), at + length - 8);
  header[at] = 0x80;
}

function readNumber(header: Buffer, at: number, length: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(at + length - 8));
  const text = header.toString("latin1", at, at + length).replace(/[\0 ]+$/, "");
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
}

function checksum(header: Buffer): number {
  let sum = 0;
  header.forEach((byte, i) => (sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + 8 ? 0x20 : byte));
  return sum;
}

function headerOf(name: string, bytes: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  let prefix = "";
  let rest = name;
  if (Buffer.byteLength(name) > NAME_BYTES) {
    const slash = name.indexOf("/", Math.max(0, name.length - NAME_BYTES - 1));
    prefix = name.slice(0, slash);
    rest = name.slice(slash + 1);
    if (slash < 0 || Buffer.byteLength(rest) > NAME_BYTES || Buffer.byteLength(prefix) > PREFIX_BYTES) {
      throw new RangeError(`${name} is too long for the name of a file in a tar archive`);
    }
  }
  header.write(rest, 0);
  writeNumber(header, 0o600, 100, 8);
  writeNumber(header, 0, 108, 8);
  writeNumber(header, 0, 116, 8);
  writeNumber(header, bytes, 124, 12);
  writeNumber(header, 0, 136, 12);
  header.write("0", 156);
  header.write("ustar\0" + "00", 257, "latin1");
  header.write(prefix, 345);
  header.write(`${checksum(header).toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT, "latin1");
  return header;
}

const textAt = (header: Buffer, at: number, length: number): string =>
  header.toString("utf8", at, at + length).replace(/\0.*$/s, "");

/** Writes an archive, file after file. */
export class TarWriter {
  constructor(private readonly file: FileHandle) {}

  /**
   * Adds a file.
   * @param bytes size of its content
   * @throws Error when the content has another size
   */
  async add(name: string, bytes: number, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await this.write(headerOf(name, bytes));
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      await this.write(chunk);
    }
    if (written !== bytes) throw new Error(`${name} has ${written} bytes instead of ${bytes}`);
    await this.write(Buffer.alloc(padding(bytes)));
  }

  /** Ends the archive. */
  async end(): Promise<void> {
    await this.write(Buffer.alloc(2 * BLOCK));
  }

  private async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.file.write(bytes, at)).bytesWritten;
  }
}

/** @throws TarError when the archive ends before */
async function readAt(file: FileHandle, at: number, length: number, what: string): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let read = 0; read < length;) {
    const { bytesRead } = await file.read(buffer, read, length - read, at + read);
    if (bytesRead === 0) throw new TarError(`it ends after ${at + read} bytes, in the middle of ${what}`);
    read += bytesRead;
  }
  return buffer;
}

/** The files of a whole archive, in order. Reads no content. @throws TarError when it is incomplete, or not an archive */
export async function listTar(file: FileHandle): Promise<TarEntry[]> {
  const { size } = await file.stat();
  const entries: TarEntry[] = [];
  for (let at = 0; ;) {
    const what = entries.length ? `what follows ${entries.at(-1)?.name}` : "its first header";
    const header = await readAt(file, at, BLOCK, what);
    at += BLOCK;
    if (header.every((byte) => byte === 0)) return entries;
    if (readNumber(header, CHECKSUM_AT, 8) !== checksum(header)) {
      throw new TarError(`it contains no header of a file at byte ${at - BLOCK}`);
    }
    const prefix = textAt(header, 345, PREFIX_BYTES);
    const name = (prefix && `${prefix}/`) + textAt(header, 0, NAME_BYTES);
    const bytes = readNumber(header, 124, 12);
    if (!Number.isSafeInteger(bytes)) throw new TarError(`the size of ${name} is not a number`);
    if (at + bytes > size) throw new TarError(`it ends after ${size} bytes, in the middle of ${name}`);
    entries.push({ name, bytes, at });
    at += bytes + padding(bytes);
  }
}

/** The content of a file in an archive, in parts of at most 1 MiB. @throws TarError when the archive ends before */
export async function* readTarEntry(file: FileHandle, { name, bytes, at }: TarEntry): AsyncGenerator<Buffer> {
  for (let read = 0; read < bytes; read += CHUNK) {
    yield await readAt(file, at + read, Math.min(CHUNK, bytes - read), name);
  }
}
