import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A relay between a client and a service. */
export interface Relay {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /**
   * The connections there are pass nothing any more, for ever, and nobody is told: so does a firewall that has forgotten
   * them. New ones work.
   */
  forgetConnections(): void;
  stop(): Promise<void>;
}

/** Starts a TCP relay to `host:port`. */
export async function startRelay(target: string): Promise<Relay> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const service = connect(Number(port), host);
    for (const [from, to] of [
      [client, service],
      [service, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    forgetConnections() {
      // Read on, so that no window closes, which the other side could tell.
      for (const socket of sockets) socket.unpipe().resume();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
