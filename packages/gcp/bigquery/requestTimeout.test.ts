import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { waitUntil } from "@eventlogger/process/wait";
import { bigQueryClient } from "./client";

describe("Time limit of BigQuery calls", () => {
  it("a call without an answer fails after its time limit, and its connection is closed", async () => {
    const sockets = new Set<object>();
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await once(server, "listening");
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const bigquery = bigQueryClient({ project: "p", endpoint }, { autoRetry: false, timeout: 300 });
    try {
      const table = bigquery.dataset("d").table("t");
      await assert.rejects(table.getMetadata(), {
        code: "ETIMEDOUT",
        message: /has not answered GET .* within 300 ms/,
      });
      await waitUntil("the end of the connection", () => sockets.size === 0);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
