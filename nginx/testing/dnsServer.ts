import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";

const HEADER = 12;
const IN = 1;
const A = 1;
const AAAA = 28;
const NO_ERROR = 0;
const SERVER_FAILURE = 2;
const NAME_ERROR = 3;

/** A DNS server with records that a test sets. */
export interface TestDnsServer {
  /** `address:port`. */
  readonly address: string;
  /** Sets the addresses of a name. No addresses removes the name; "fails" answers with SERVFAIL. */
  set(name: string, addresses: readonly string[] | "fails"): void;
  /** Number of queries. */
  readonly queries: number;
  close(): Promise<void>;
}

/** Reads the question of a query (RFC 1035, 4.1.2). */
function question(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function rdata(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::").map((half) => half.replace(/[^:]+/g, (g) => g.padStart(4, "0")));
  const [before, after] = [head.replaceAll(":", ""), tail.replaceAll(":", "")];
  return Buffer.from(before + "0".repeat(32 - before.length - after.length) + after, "hex");
}

function answerTo(query: Buffer, zone: ReadonlyMap<string, readonly string[] | "fails">): Buffer {
  const { name, type, end } = question(query);
  const known = zone.get(name) ?? [];
  const all = known === "fails" ? [] : known;
  const matching = all.filter((address) => type === (isIPv4(address) ? A : AAAA));
  const code = known === "fails" ? SERVER_FAILURE : all.length === 0 ? NAME_ERROR : NO_ERROR;
  const header = Buffer.alloc(HEADER);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(matching.length, 6);
  const records = matching.map((address) => {
    const data = rdata(address);
    const record = Buffer.alloc(12);
    // The name of the question; a time to live of 0.
    record.writeUInt16BE(0xc000 | HEADER, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(IN, 4);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, query.subarray(HEADER, end), ...records]);
}

/** Starts a DNS server on 127.0.0.1. */
export async function startDnsServer(): Promise<TestDnsServer> {
  const zone = new Map<string, readonly string[] | "fails">();
  let queries = 0;
  const socket = createSocket("udp4");
  socket.on("message", (query, { address, port }) => {
    queries++;
    socket.send(answerTo(query, zone), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    set: (name, addresses) => void zone.set(name, addresses),
    get queries() {
      return queries;
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
