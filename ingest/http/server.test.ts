import assert from "node:assert/strict";
import { connect } from "node:net";
import { startHttpServer, type HttpServer } from "./server";
import { sendRaw } from "../testing/requests";

describe("unusual requests", () => {
  let server: HttpServer;
  before(async () => {
    const listener = (_: unknown, response: { end(text: string): unknown }): unknown => response.end("done");
    server = await startHttpServer({ listener, host: "127.0.0.1", port: 0, maxConnections: 100 });
  });
  after(() => {
    server.abort();
    return server.drain();
  });

  it("a request without Host is served, as HTTP/1.0 and as a proxy passes it on", async () => {
    for (const version of ["1.0", "1.1"]) {
      const answer = await sendRaw(server.port, `GET / HTTP/${version}\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 200 [^]*done$/);
    }
  });

  it("a request with an unknown expectation is answered with 417 and an error body", async () => {
    const answer = await sendRaw(
      server.port,
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: more\r\nContent-Length: 1\r\n\r\n1",
    );
    assert.match(answer, /^HTTP\/1\.1 417 [^]*application\/json[^]*\{"errors":\[\{"field":"","message":"The only/);
  });
});

describe("slow clients", () => {
  let server: HttpServer;
  before(async () => {
    server = await startHttpServer({
      listener: (request, response) => {
        request.on("error", () => undefined).on("end", () => response.end("done"));
        request.resume();
      },
      host: "127.0.0.1",
      port: 0,
      maxConnections: 100,
      headersTimeoutMs: 1000,
      requestTimeoutMs: 2000,
    });
  });
  after(() => {
    server.abort();
    return server.drain();
  });

  for (const [what, begin] of [
    ["headers", "POST / HTTP/1.1\r\nHost: x\r\nX: "],
    ["a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"],
  ] as const) {
    it(`a client that sends ${what} byte by byte is answered with 408 and disconnected`, async () => {
      const answers = await Promise.all(
        Array.from(
          { length: 20 },
          () =>
            new Promise<string>((resolve) => {
              const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
              let received = "";
              socket.setEncoding("latin1").on("data", (text: string) => (received += text));
              socket.write(begin);
              // It never ends by itself.
              const trickle = setInterval(() => socket.write("x"), 50);
              socket.on("error", () => undefined);
              socket.on("close", () => {
                clearInterval(trickle);
                resolve(received);
              });
            }),
        ),
      );
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 [^]*\{"errors":\[\{"field":"",/);
      const healthy = await sendRaw(server.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      assert.match(healthy, /^HTTP\/1\.1 200 [^]*done$/);
    });
  }
});
