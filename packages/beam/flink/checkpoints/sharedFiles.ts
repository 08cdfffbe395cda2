/**
 * The shared files of an incremental checkpoint. RocksDB's files are uploaded once, to `<job>/shared/`, and belong to every
 * checkpoint that refers to them. A checkpoint refers to its own files by relative paths, but to shared files by absolute
 * ones, so that it can only be moved when they are changed.
 */

/** A reference to a shared file in the `_metadata` of a checkpoint. */
interface Reference {
  /** Position of the length of the path. */
  readonly at: number;
  /** Position behind the path. */
  readonly end: number;
  /** Name of the file. */
  readonly name: string;
  /** Size of the file, bytes. */
  readonly bytes: number;
}

/** Flink's mark of a reference to a file by an absolute path. */
const FILE_STREAM_STATE_HANDLE = 2;

/**
 * The references to files in the folder `<job>/shared`. In Flink 1.19 (MetadataV2V3SerializerBase) a reference is a mark (1
 * byte), the size of the file (8 bytes) and its path, with the length of the path in front (2 bytes).
 * @param job Flink's id of the job. It is random, so that no state of a user contains such a reference by chance
 */
function references(metadata: Buffer, job: string): Reference[] {
  const found: Reference[] = [];
  const marker = `/${job}/shared/`;
  for (let at = metadata.indexOf(marker); at >= 0; at = metadata.indexOf(marker, at + marker.length)) {
    const nameAt = at + marker.length;
    const [name] = /^[0-9a-f-]{36}/.exec(metadata.toString("latin1", nameAt, nameAt + 36)) ?? [];
    if (name === undefined) continue;
    const end = nameAt + name.length;
    // A path starts with its scheme; the nearest one is the right one, unless a folder has the name "file:".
    for (let start = metadata.lastIndexOf("file:", at); start >= 11; start = metadata.lastIndexOf("file:", start - 1)) {
      const length = end - start;
      if (length > 0xffff) break;
      if (metadata.readUInt16BE(start - 2) !== length) continue;
      // Otherwise the path is the name of a small file that the metadata contains itself.
      const size = metadata.readBigUInt64BE(start - 10);
      if (metadata[start - 11] === FILE_STREAM_STATE_HANDLE && size < 2n ** 48n) {
        found.push({ at: start - 2, end, name, bytes: Number(size) });
      }
      break;
    }
  }
  return found;
}

/** Names of the shared files that a checkpoint needs, with their sizes in bytes. */
export function sharedFiles(metadata: Buffer, job: string): Map<string, number> {
  return new Map(references(metadata, job).map(({ name, bytes }) => [name, bytes]));
}

/**
 * The metadata with references to the shared files in another folder.
 * @param folder absolute
 */
export function withSharedFolder(metadata: Buffer, job: string, folder: string): Buffer {
  const parts: Buffer[] = [];
  let copied = 0;
  for (const { at, end, name } of references(metadata, job)) {
    const target = Buffer.from(`file:${folder}/${name}`);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(target.length);
    parts.push(metadata.subarray(copied, at), length, target);
    copied = end;
  }
  return Buffer.concat([...parts, metadata.subarray(copied)]);
}
