import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import {
  assertOnlyLoopback,
  listeningSockets,
  outsideLoopback,
  parseAddress,
  skipUnlessSocketsAreListed,
} from "./listeningSockets";

async function listen(host: string): Promise<{ port: number; close: () => void }> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

describe("List of listening sockets", function () {
  before(function () {
    skipUnlessSocketsAreListed(this);
  });

  it("listeningSockets tells a port on every network interface from one on loopback", async () => {
    const inside = await listen("127.0.0.1");
    const outside = await listen("0.0.0.0");
    try {
      const found = listeningSockets(process.pid).filter(({ port }) => [inside.port, outside.port].includes(port));
      assert.deepEqual(
        found
          .map(({ pid, address, port }) => ({ pid, address, port }))
          .sort((a, b) => (a.address < b.address ? -1 : 1)),
        [
          { pid: process.pid, address: "0.0.0.0", port: outside.port },
          { pid: process.pid, address: "127.0.0.1", port: inside.port },
        ],
      );
      assert.throws(() => assertOnlyLoopback(process.pid, [inside.port]), new RegExp(`0\\.0\\.0\\.0:${outside.port}`));
    } finally {
      inside.close();
      outside.close();
    }
  });

  it("listeningSockets includes the ports of a grandchild process", async () => {
    const listener =
      'require("net").createServer().listen(0, "127.0.0.1", function () { console.log(this.address().port) })';
    const parent = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(listener)}], { stdio: "inherit" })`;
    const child = spawn(process.execPath, ["-e", parent], { stdio: ["ignore", "pipe", "inherit"], detached: true });
    try {
      const [printed] = (await once(child.stdout, "data")) as [Buffer];
      const port = Number(printed.toString());
      assertOnlyLoopback(process.pid, [port]);
      assert.notEqual(listeningSockets(process.pid).find((socket) => socket.port === port)?.pid, child.pid);
    } finally {
      process.kill(-(child.pid as number), "SIGKILL");
    }
  });

  it("assertOnlyLoopback fails when an expected port was not found", () => {
    assert.throws(() => assertOnlyLoopback(process.pid, [1]), /not among those found/);
  });

  it("parseAddress reads IPv6 and IPv4-mapped addresses of /proc/net/tcp6", () => {
    assert.equal(parseAddress("0100007F"), "127.0.0.1");
    assert.equal(parseAddress("0000000000000000FFFF00000100007F"), "127.0.0.1");
    assert.equal(parseAddress("00000000000000000000000001000000"), "::1");
    assert.equal(parseAddress("00000000000000000000000000000000"), "::");
    const sockets = ["::1", "127.0.0.2", "::", "10.0.0.1", "0.0.0.0"].map((at) => ({
      ...{ pid: 7, program: "x", address: at, port: 1 },
    }));
    assert.deepEqual(outsideLoopback(sockets), ["x (7) :::1", "x (7) 10.0.0.1:1", "x (7) 0.0.0.0:1"]);
  });

  it("listeningSockets finds a port on the IPv6 loopback address", async function () {
    if (
      !Object.values(networkInterfaces())
        .flat()
        .some((entry) => entry?.address === "::1")
    )
      this.skip();
    const server = await listen("::1");
    try {
      assertOnlyLoopback(process.pid, [server.port]);
    } finally {
      server.close();
    }
  });
});
