import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How a relay forwards data; changes also apply to existing connections. */
export interface RelayConditions {
  /** Delay of each chunk in each direction, ms. @default 0 */
  readonly delayMs?: number;
  /** Every n-th chunk from clients resets its connection instead of being forwarded. @default 0, which resets none */
  readonly resetEvery?: number;
  /** Bytes per second of each direction of each connection. @default Infinity */
  readonly bytesPerSecond?: number;
  /** Chunks are split into pieces of this size, which are written one by one. @default Infinity */
  readonly sliceBytes?: number;
}

/** A TCP relay between clients and a service. It causes faults of the network, as toxiproxy does. */
export interface Relay {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /**
   * Existing connections silently forward nothing any more, like a firewall that has dropped their state: they are half
   * open. New connections work.
   */
  forgetConnections(): void;
  /** Resets all connections. New connections work. */
  resetConnections(): void;
  /** Closes all connections and refuses new ones. */
  cut(): Promise<void>;
  /** Accepts connections but forwards nothing, on new and existing ones. */
  swallow(): void;
  /** Ends {@link cut} and {@link swallow}: new connections work. */
  restore(): Promise<void>;
  /** Conditions that are not given return to their defaults. */
  setConditions(conditions: RelayConditions): void;
  stop(): Promise<void>;
}

/** Chunks that wait in one direction; more pauses the sender, so that a slow relay is slow for it, too. */
const MAX_HELD_BYTES = 1 << 20;

/** One direction of a connection. It forwards chunks in order, each after the delay at the time of its arrival. */
class Direction {
  private readonly held: { readonly chunk: Buffer; readonly due: number }[] = [];
  private heldBytes = 0;
  /** When the line is free again; epoch of performance.now(). */
  private freeAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
  ) {
    to.on("drain", () => this.resume());
  }

  pass(chunk: Buffer, conditions: Required<RelayConditions>): void {
    const { delayMs, bytesPerSecond, sliceBytes } = conditions;
    if (delayMs === 0 && bytesPerSecond === Infinity && sliceBytes === Infinity && this.held.length === 0) {
      this.write(chunk);
      return;
    }
    const now = performance.now();
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      const piece = chunk.subarray(at, at + sliceBytes);
      this.freeAt = Math.max(now, this.freeAt) + (piece.length / bytesPerSecond) * 1000;
      this.held.push({ chunk: piece, due: this.freeAt + delayMs });
      this.heldBytes += piece.length;
      if (sliceBytes === Infinity) break;
    }
    if (this.heldBytes > MAX_HELD_BYTES) this.from.pause();
    this.wake();
  }

  end(): void {
    this.ended = true;
    if (this.held.length === 0) this.to.end();
  }

  private write(chunk: Buffer): void {
    if (!this.to.writable) return;
    if (!this.to.write(chunk)) this.from.pause();
  }

  private resume(): void {
    if (this.heldBytes <= MAX_HELD_BYTES) this.from.resume();
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
          const { chunk } = this.held.shift() as { chunk: Buffer };
          this.heldBytes -= chunk.length;
          this.write(chunk);
        }
        if (!this.to.writableNeedDrain) this.resume();
        this.wake();
      },
      Math.max(0, next.due - performance.now()),
    );
  }
}

const NO_CONDITIONS: Required<RelayConditions> = {
  delayMs: 0,
  resetEvery: 0,
  bytesPerSecond: Infinity,
  sliceBytes: Infinity,
};

/** Starts a TCP relay to `host:port`. */
export async function startRelay(target: string): Promise<Relay> {
  const [targetHost, targetPort] = target.split(":");
  const sockets = new Set<Socket>();
  const forgotten = new Set<Socket>();
  let swallowing = false;
  let conditions = NO_CONDITIONS;
  let pieces = 0;

  const isReset = (): boolean => conditions.resetEvery > 0 && ++pieces % conditions.resetEvery === 0;

  /** @param isLost called for each chunk; true discards it */
  function relay(from: Socket, to: Socket, isLost: () => boolean): void {
    const direction = new Direction(from, to);
    // Otherwise a delay of the kernel's own would be added to the conditions.
    from.setNoDelay(true);
    sockets.add(from);
    from.on("error", () => undefined);
    // Keep reading: a full TCP window would be visible to the other side.
    from.on("data", (chunk: Buffer) => {
      if (!forgotten.has(from) && !isLost()) direction.pass(chunk, conditions);
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
    resetConnections() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
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
      conditions = { ...NO_CONDITIONS, ...now };
    },
    stop: close,
  };
}
