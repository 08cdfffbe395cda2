import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startRelay, type Relay } from "./relay";

describe("Relay of fault tests", () => {
  let echo: Server;
  let relay: Relay;
  beforeEach(async () => {
    echo = createServer((socket) => socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
    await once(echo, "listening");
    relay = await startRelay(`127.0.0.1:${(echo.address() as AddressInfo).port}`);
  });
  afterEach(async () => {
    await relay.stop();
    echo.close();
  });

  async function open(): Promise<Socket> {
    const socket = connect(Number(relay.host.split(":")[1]), "127.0.0.1");
    await once(socket, "connect");
    return socket;
  }

  /** Sends bytes and waits until they have come back. @returns the time, ms */
  async function roundTrip(socket: Socket, bytes: number): Promise<number> {
    const sent = Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));
    const startedAt = performance.now();
    socket.write(sent);
    const received: Buffer[] = [];
    for (let length = 0; length < bytes;) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      received.push(chunk);
      length += chunk.length;
    }
    assert.deepEqual(Buffer.concat(received), sent);
    return performance.now() - startedAt;
  }

  it("a relay forwards everything in order, with a delay, in slices, and at a limited rate", async () => {
    const socket = await open();
    await roundTrip(socket, 10_000);
    relay.setConditions({ delayMs: 50 });
    assert.ok((await roundTrip(socket, 10)) >= 95);
    relay.setConditions({ bytesPerSecond: 100_000, sliceBytes: 1000 });
    assert.ok((await roundTrip(socket, 20_000)) >= 190);
    relay.setConditions({});
    await roundTrip(socket, 10_000);
    socket.destroy();
  });

  it("a relay resets connections, and refuses them while it is cut", async () => {
    const socket = await open();
    const broken = once(socket, "error");
    relay.resetConnections();
    assert.match(String(await broken.catch((error: unknown) => [error])), /ECONNRESET/);
    await relay.cut();
    await assert.rejects(open(), /ECONNREFUSED/);
    await relay.restore();
    await roundTrip(await open(), 10);
  });

  it("a relay that has forgotten a connection keeps it open and forwards nothing", async () => {
    const socket = await open();
    await roundTrip(socket, 10);
    relay.forgetConnections();
    const outcome = await Promise.race([roundTrip(socket, 10), sleep(200, "no answer")]);
    assert.equal(outcome, "no answer");
    assert.equal(socket.closed, false);
    await roundTrip(await open(), 10);
    relay.swallow();
    assert.equal(await Promise.race([roundTrip(await open(), 10), sleep(200, "no answer")]), "no answer");
    socket.destroy();
  });
});
