import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Number of answers by status, and "none" for connections that closed without one. */
export type Answers = Record<string, number>;

const count = (answers: Answers, status: string): void => {
  answers[status] = (answers[status] ?? 0) + 1;
};

const statusOf = (text: string): string => /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? "none";

/** The status, or "accepted" when an event was accepted. A batch may be empty, also when garbage decompresses to nothing. */
async function outcomeOf(response: Response): Promise<string> {
  const text = await response.text();
  return response.ok && !text.startsWith('{"accepted":0,') ? "accepted" : String(response.status);
}

interface Conversation {
  /** The answer. */
  readonly text: string;
  readonly ms: number;
}

/** Opens a connection, lets `talk` use it, and waits until the server closes it, or for `limitMs`. Never rejects. */
function converse(port: number, talk: (socket: Socket) => void, limitMs: number): Promise<Conversation> {
  return new Promise((resolve) => {
    const start = performance.now();
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const limit = setTimeout(() => socket.destroy(), limitMs);
    socket.setEncoding("latin1");
    socket.on("connect", () => talk(socket));
    socket.on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(limit);
      resolve({ text, ms: performance.now() - start });
    });
  });
}

/**
 * Slowloris: each connection sends the headers, or the body, of a request at one byte per second and never completes it.
 * @param limitMs the client closes its connections after this time, ms
 * @returns the answers, and the lifetime of the longest connection, ms
 */
export async function slowRequests(
  port: number,
  part: "headers" | "body",
  connections: number,
  limitMs: number,
): Promise<[Answers, number]> {
  const answers: Answers = {};
  const head = "POST /event/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n";
  const lived = await Promise.all(
    Array.from({ length: connections }, async () => {
      const drip = (socket: Socket): void => {
        socket.write(part === "body" ? `${head}\r\n{` : head);
        const timer = setInterval(() => socket.write("x"), 1000);
        socket.once("close", () => clearInterval(timer));
      };
      const { text, ms } = await converse(port, drip, limitMs);
      count(answers, statusOf(text));
      return ms;
    }),
  );
  return [answers, Math.max(...lived)];
}

/** Holds connections that send nothing for `holdMs`. @returns how many were still open at the end */
export async function idleConnections(port: number, connections: number, holdMs: number): Promise<number> {
  const sockets = new Set<Socket>();
  for (let i = 0; i < connections; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.on("connect", () => sockets.add(socket));
    socket.on("close", () => sockets.delete(socket));
    // An overflow of the backlog would test the kernel.
    if (i % 100 === 99) await sleep(10);
  }
  await sleep(holdMs);
  const open = sockets.size;
  for (const socket of sockets) socket.destroy();
  return open;
}

/** Sends bodies of random bytes, of 1 KiB to 5 MiB each, until `bytes` have been sent. */
export async function garbageBodies(url: string, bytes: number): Promise<Answers> {
  const answers: Answers = {};
  const pool = randomBytes(5 * 1024 * 1024);
  const types = ["application/json", "application/x-ndjson", "text/plain", "image/png"];
  const encodings = ["identity", "gzip", "br"];
  let sent = 0;
  let n = 0;
  const client = async (): Promise<void> => {
    while (sent < bytes) {
      const i = n++;
      // Many small bodies, some of the maximum size.
      const length = i % 4 === 0 ? pool.length - (i % 1000) : 1024 * (1 + (i % 64));
      sent += length;
      try {
        const response = await fetch(`${url}${i % 8 < 6 ? "/events/" : "/event/"}`, {
          method: "POST",
          headers: {
            "content-type": types[i % types.length] ?? "",
            "content-encoding": encodings[i % encodings.length] ?? "",
          },
          body: pool.subarray(0, length),
        });
        count(answers, await outcomeOf(response));
      } catch {
        // The server closed the connection during the request.
        count(answers, "none");
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return answers;
}

/** Sends each of the bodies `times` times to both paths. */
export async function badBodies(url: string, bodies: readonly (string | Buffer)[], times: number): Promise<Answers> {
  const answers: Answers = {};
  for (let i = 0; i < times; i++) {
    await Promise.all(
      bodies.flatMap((body) =>
        ["/event/", "/events/"].map(async (path) => {
          const headers = { "content-type": "application/json" };
          const response = await fetch(url + path, { method: "POST", headers, body });
          count(answers, await outcomeOf(response));
        }),
      ),
    );
  }
  return answers;
}

/** Requests with headers of 100 KB: few long ones, or many short ones. */
export async function headerFlood(port: number, requests: number): Promise<Answers> {
  const answers: Answers = {};
  const long = `X-Long: ${"x".repeat(100_000)}\r\n`;
  const many = Array.from({ length: 5000 }, (_, i) => `X-Many-${i}: ${i}\r\n`).join("");
  for (let i = 0; i < requests; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, j) => {
        const head = `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${j % 2 ? long : many}\r\n`;
        const { text } = await converse(port, (socket) => socket.write(head), 10_000);
        count(answers, statusOf(text));
      }),
    );
  }
  return answers;
}
