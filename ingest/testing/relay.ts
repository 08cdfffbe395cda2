import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How a relay forwards data; changes also apply to existing connections. */
export interface RelayConditions {
  /** Delay of each chunk in each direction, ms. */
  readonly delayMs: number;
  /** Every n-th chunk from clients resets its connection instead of being forwarded; 0 for none. */
  readonly resetEvery: number;
}

/** A TCP relay between clients and a service. */
export interface Relay {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /**
   * Existing connections silently forward nothing any more, like a firewall that has dropped their state. New connections
   * work.
   */
  forgetConnections(): void;
  /** Closes all connections and refuses new ones. */
  cut(): Promise<void>;
  /** Accepts connections but forwards nothing, on new and existing ones. */
  swallow(): void;
  /** Ends {@link cut} and {@link swallow}: new connections work. */
  restore(): Promise<void>;
  setConditions(conditions: RelayConditions): void;
  stop(): Promise<void>;
}

/** One direction of a connection. It forwards chunks in order, each after the delay at the time of its arrival. */
class Direction {
  private readonly held: { readonly chunk: Buffer; readonly due: number }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
  ) {
    to.on("drain", () => from.resume());
  }

  pass(chunk: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.held.length === 0) this.write(chunk);
    else {
      this.held.push({ chunk, due: performance.now() + delayMs });
      this.wake();
    }
  }

  end(): void {
    this.ended = true;
    if (this.held.length === 0) this.to.end();
  }

  private write(chunk: Buffer): void {
    if (!this.to.writable) return;
    if (!this.to.write(chunk)) this.from.pause();
  }

  private wake(): void {
    const next = this.held[0];
    if (next === undefined) {
      if (this.ended) this.to.end();
      return;
    }
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        while (this.held[0] !== undefined && this.held[0].due <= performance.now()) {
          this.write((this.held.shift() as { chunk: Buffer }).chunk);
        }
        this.wake();
      },
      Math.max(0, next.due - performance.now()),
    );
  }
}

/** Starts a TCP relay to `host:port`. */
export async function startRelay(target: string): Promise<Relay> {
  const [targetHost, targetPort] = target.split(":");
  const sockets = new Set<Socket>();
  const forgotten = new Set<Socket>();
  let swallowing = false;
  let conditions: RelayConditions = { delayMs: 0, resetEvery: 0 };
  let pieces = 0;

  const isReset = (): boolean => conditions.resetEvery > 0 && ++pieces % conditions.resetEvery === 0;

  /** @param isLost called for each chunk; true discards it */
  function relay(from: Socket, to: Socket, isLost: () => boolean): void {
    const direction = new Direction(from, to);
    sockets.add(from);
    from.on("error", () => undefined);
    // Keep reading: a full TCP window would be visible to the other side.
    from.on("data", (chunk: Buffer) => {
      if (!forgotten.has(from) && !isLost()) direction.pass(chunk, conditions.delayMs);
    });
    from.on("end", () => direction.end());
    from.on("close", () => {
      sockets.delete(from);
      forgotten.delete(from);
      to.destroy();
    });
  }

  const onConnection = (client: Socket): void => {
    const service = connect(Number(targetPort), targetHost);
    relay(client, service, () => {
      if (!isReset()) return false;
      client.resetAndDestroy();
      return true;
    });
    relay(service, client, () => false);
    if (swallowing) forgotten.add(client).add(service);
  };
  const forgetConnections = (): void => {
    for (const socket of sockets) forgotten.add(socket);
  };

  let server: Server | undefined;
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const listening = createServer(onConnection);
      server = listening;
      listening.once("error", reject);
      listening.listen(port, "127.0.0.1", () => resolve((listening.address() as AddressInfo).port));
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (server) server.close(() => resolve());
      else resolve();
      server = undefined;
      for (const socket of sockets) socket.destroy();
    });

  const port = await listen(0);
  return {
    host: `127.0.0.1:${port}`,
    forgetConnections,
    cut: close,
    swallow() {
      swallowing = true;
      forgetConnections();
    },
    async restore() {
      swallowing = false;
      if (!server) await listen(port);
    },
    setConditions(now) {
      conditions = now;
    },
    stop: close,
  };
}
