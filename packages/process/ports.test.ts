import assert from "node:assert/strict";
import { createServer } from "node:net";
import { freePorts } from "./ports";

describe("freePorts", () => {
  it("freePorts finds distinct ports that can be listened on", async () => {
    const ports = await freePorts(5);
    assert.equal(new Set(ports).size, 5);
    for (const port of ports) {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, "127.0.0.1", resolve);
      });
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
