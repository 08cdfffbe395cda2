import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How a relay passes on what comes; both apply to connections that are there as well. */
export interface RelayConditions {
  /** How long each piece of data is held back, in each direction, ms. */
  readonly delayMs: number;
  /** Of how many pieces that clients send one resets its connection instead of arriving; 0: none. */
  readonly resetEvery: number;
}

/** A relay between a client and a service. */
export interface Relay {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /**
   * The connections there are pass nothing any more, for ever, and nobody is told: so does a firewall that has forgotten
   * them. New ones work.
   */
  forgetConnections(): void;
  /** Nobody can be reached: connections end, new ones are refused. */
  cut(): Promise<void>;
  /** Connections are taken, and pass nothing, now and later; those there are as well. */
  swallow(): void;
  /** Ends {@link cut} and {@link swallow}: new connections work. */
  restore(): Promise<void>;
  setConditions(conditions: RelayConditions): void;
  stop(): Promise<void>;
}

/** One direction of a connection: passes pieces on in their order, each after the delay there was when it came. */
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

  /** @param sent told of each piece, before it is passed on; true: it is not */
  function relay(from: Socket, to: Socket, isLost: () => boolean): void {
    const direction = new Direction(from, to);
    sockets.add(from);
    from.on("error", () => undefined);
    // Read on what is forgotten, so that no window closes, which the other side could tell.
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
