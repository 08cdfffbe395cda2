import { createHash } from "node:crypto";
import { googleError, type FakeAnswer, type FakeRequest, type FakeService } from "./fakeServer";

const CRC32C = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0x82f63b78 ^ (crc >>> 1) : crc >>> 1;
  return crc >>> 0;
});

const checksums = new WeakMap<Buffer, { crc32c: string; md5Hash: string }>();

/** Checksums in the format of Cloud Storage; cached, because staged files are large. */
function checksumsOf(data: Buffer): { crc32c: string; md5Hash: string } {
  const known = checksums.get(data) ?? {
    crc32c: crc32c(data),
    md5Hash: createHash("md5").update(data).digest("base64"),
  };
  checksums.set(data, known);
  return known;
}

function crc32c(data: Buffer): string {
  let crc = 0xffffffff;
  for (const byte of data) crc = (CRC32C[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  const out = Buffer.alloc(4);
  out.writeUInt32BE(~crc >>> 0);
  return out.toString("base64");
}

interface Upload {
  readonly bucket: string;
  readonly name: string;
  readonly parts: Buffer[];
  bytes: number;
}

/** The part of Cloud Storage's JSON API that Beam's submitter and this project use. */
export class FakeStorage {
  /** Contents by `bucket/name`. */
  readonly objects = new Map<string, Buffer>();
  /** Metadata by name. */
  readonly buckets = new Map<string, Record<string, unknown>>();
  /** Permissions on buckets that the caller lacks. */
  readonly denied = new Set<string>();
  private readonly uploads = new Map<string, Upload>();

  constructor(buckets: Iterable<string>) {
    for (const name of buckets) this.buckets.set(name, { name, location: "EU" });
  }

  readonly service: FakeService = (request) => {
    if (request.path === "/storage/v1/b" && request.method === "POST") return this.createBucket(request);
    const permissions = /^\/storage\/v1\/b\/([^/]+)\/iam\/testPermissions$/.exec(request.path);
    if (permissions) return this.testPermissions(permissions[1] as string, request);
    const match = /^(?:\/(upload|resumable\/upload|download))?\/storage\/v1\/b\/([^/]+)(?:\/o(?:\/(.+))?)?$/.exec(
      request.path,
    );
    if (!match) return undefined;
    const [, via, bucket = "", rest] = match;
    const metadata = this.buckets.get(bucket);
    if (!metadata) return googleError(404, "The specified bucket does not exist.");
    if (via?.endsWith("upload")) return this.upload(bucket, request);
    const copy = rest && /^(.+)\/(copyTo|rewriteTo)\/b\/([^/]+)\/o\/(.+)$/.exec(rest);
    if (copy) return this.copy(bucket, copy as unknown as [string, string, string, string, string]);
    if (rest === undefined && request.method === "PATCH") Object.assign(metadata, JSON.parse(request.body.toString()));
    else if (request.method !== "GET") return undefined;
    if (rest !== undefined) return this.read(bucket, decodeURIComponent(rest), request);
    if (request.path.endsWith("/o")) return this.list(bucket, request);
    if (request.method === "GET" && this.denied.has("storage.buckets.get")) {
      return googleError(403, "Caller does not have storage.buckets.get access to the bucket.");
    }
    return { status: 200, body: { kind: "storage#bucket", id: bucket, ...metadata } };
  };

  private createBucket({ body, query }: FakeRequest): FakeAnswer {
    const project = query.get("project");
    if (this.denied.has("storage.buckets.create")) {
      return googleError(403, `Caller does not have storage.buckets.create access to project ${project}.`);
    }
    const metadata = JSON.parse(body.toString()) as { name: string; location?: string };
    if (this.buckets.has(metadata.name)) {
      return googleError(409, "The requested bucket name is not available.");
    }
    const created = { ...metadata, location: (metadata.location ?? "US").toUpperCase() };
    this.buckets.set(metadata.name, created);
    return { status: 200, body: created };
  }

  private testPermissions(bucket: string, { query }: FakeRequest): FakeAnswer {
    if (!this.buckets.has(bucket)) return googleError(404, "The specified bucket does not exist.");
    return { status: 200, body: { permissions: query.getAll("permissions").filter((one) => !this.denied.has(one)) } };
  }

  private metadata(bucket: string, name: string): Record<string, string> {
    const data = this.objects.get(`${bucket}/${name}`) as Buffer;
    return {
      kind: "storage#object",
      bucket,
      name,
      generation: "1",
      metageneration: "1",
      size: String(data.length),
      ...checksumsOf(data),
      updated: new Date(0).toISOString(),
    };
  }

  private put(bucket: string, name: string, data: Buffer): FakeAnswer {
    this.objects.set(`${bucket}/${name}`, data);
    return { status: 200, body: this.metadata(bucket, name) };
  }

  private read(bucket: string, name: string, { query }: FakeRequest): FakeAnswer {
    const data = this.objects.get(`${bucket}/${name}`);
    if (!data) return googleError(404, `No such object: ${bucket}/${name}`);
    return { status: 200, body: query.get("alt") === "media" ? data : this.metadata(bucket, name) };
  }

  private list(bucket: string, { query }: FakeRequest): FakeAnswer {
    const start = `${bucket}/${query.get("prefix") ?? ""}`;
    const names = [...this.objects.keys()].filter((key) => key.startsWith(start));
    const items = names.map((key) => this.metadata(bucket, key.slice(bucket.length + 1)));
    return { status: 200, body: { kind: "storage#objects", items } };
  }

  private copy(bucket: string, [, from, verb, toBucket, to]: [string, string, string, string, string]): FakeAnswer {
    const data = this.objects.get(`${bucket}/${decodeURIComponent(from)}`);
    if (!data) return googleError(404, `No such object: ${bucket}/${decodeURIComponent(from)}`);
    const { body: resource, status } = this.put(toBucket, decodeURIComponent(to), data);
    if (verb === "copyTo") return { status, body: resource };
    const size = String(data.length);
    return { status, body: { done: true, objectSize: size, totalBytesRewritten: size, resource } };
  }

  /** The three kinds of upload: media (name in the query), multipart, resumable. */
  private upload(bucket: string, { method, query, headers, body, path }: FakeRequest): FakeAnswer | undefined {
    if (method === "PUT") return this.uploadPart(query.get("upload_id") ?? "", body, headers["content-range"]);
    const name = query.get("name");
    switch (query.get("uploadType") ?? "") {
      case "media":
        return this.put(bucket, name ?? "", body);
      case "multipart": {
        const boundary = /boundary="?([^";]+)/.exec(headers["content-type"] ?? "")?.[1] ?? "";
        const parts = body.toString("latin1").split(`--${boundary}`).slice(1, -1);
        const [metadata = "", content = ""] = parts.map((part) =>
          part.slice(/\r?\n\r?\n/.exec(part)?.index).replace(/^\r?\n\r?\n|\r?\n$/g, ""),
        );
        const named = name ?? (JSON.parse(metadata) as { name: string }).name;
        return this.put(bucket, named, Buffer.from(content, "latin1"));
      }
      case "resumable": {
        const id = String(this.uploads.size + 1);
        const named = name ?? (JSON.parse(body.toString()) as { name: string }).name;
        this.uploads.set(id, { bucket, name: named, parts: [], bytes: 0 });
        const location = `http://${headers.host}${path}?uploadType=resumable&upload_id=${id}`;
        return { status: 200, headers: { location } };
      }
      default:
        return undefined;
    }
  }

  private uploadPart(id: string, part: Buffer, range: string | undefined): FakeAnswer {
    const upload = this.uploads.get(id);
    if (!upload) return googleError(404, "No such upload");
    upload.parts.push(part);
    upload.bytes += part.length;
    const total = /\/(\d+)$/.exec(range ?? "")?.[1];
    if (range === undefined || (total !== undefined && upload.bytes >= Number(total))) {
      return this.put(upload.bucket, upload.name, Buffer.concat(upload.parts));
    }
    return { status: 308, headers: { range: `bytes=0-${upload.bytes - 1}` } };
  }
}
