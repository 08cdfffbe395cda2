import { createServer, type Server } from "node:net";

/** Ports below the range for outgoing connections (it begins at 32768 on Linux and at 49152 on macOS). */
const FIRST = 12_000;
const LAST = 32_000;

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Whether a port of 127.0.0.1 is free. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (!server) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * Finds free TCP ports on 127.0.0.1, all distinct. They are not reserved: listen on them soon.
 * @throws Error when too few ports are free
 */
export async function freePorts(n: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let tries = 0; held.size < n; tries++) {
      if (tries > 50 * n) throw new Error(`Found only ${held.size} of ${n} free ports from ${FIRST} to ${LAST}`);
      const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
      // Held until all are found, so that no port is returned twice.
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
