import { createServer, type Server } from "node:net";

/** Below the range that the system takes the ports of outgoing connections from (Linux: 32768, macOS: 49152). */
const FIRST = 12_000;
const LAST = 32_000;

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Whether nobody listens on a port of 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (!server) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * Finds TCP ports on 127.0.0.1 that nobody listens on. They are not held: whoever asked must soon listen on them.
 * @throws Error when there are too few.
 */
export async function freePorts(n: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let tries = 0; held.size < n; tries++) {
      if (tries > 50 * n) throw new Error(`Found only ${held.size} of ${n} free ports from ${FIRST} to ${LAST}`);
      const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
      // Held until all are found, so that one port is not handed out twice.
      const server = held.has(port) ? undefined : await listen(port);
      if (server) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((s) => new Promise((resolve) => s.close(resolve))));
  }
}

/** One free port; see {@link freePorts}. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}
