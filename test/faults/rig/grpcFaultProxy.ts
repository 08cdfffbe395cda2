import { once } from "node:events";
import { connect, constants, createServer } from "node:http2";
import type {
  ClientHttp2Session,
  Http2Session,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { FaultDecider } from "./callFaults";
import { keepMessages } from "./publishRequest";

/** A proxy for a gRPC service whose calls may have faults. Calls of any method and kind pass. */
export interface GrpcFaultProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly faults: FaultDecider;
  /**
   * While set, Pub/Sub "lies": it answers each Publish call with OK, but takes only the messages for whose index this is
   * true, and the answer has no ids for the others.
   */
  keepsMessage: ((index: number) => boolean) | undefined;
  /** Number of messages that {@link keepsMessage} has rejected. */
  readonly rejectedMessages: number;
  /** Ends the open streams, such as those of subscribers, with an error, as Pub/Sub does every few minutes. */
  breakStreams(): void;
  stop(): Promise<void>;
}

const PUBLISH = "/google.pubsub.v1.Publisher/Publish";
const UNAVAILABLE = "14";

/** Headers that belong to one connection, or that the other side sets itself. */
function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name !== ":authority" && name !== ":scheme" && name !== "connection"),
  );
}

function fail(stream: ServerHttp2Stream): void {
  if (stream.closed || stream.destroyed) return;
  const status = { "grpc-status": UNAVAILABLE, "grpc-message": "The proxy answers this call with an error" };
  if (stream.headersSent) {
    // After the headers, the status is in the trailers; without them the call is reset.
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...status }, { endStream: true });
}

/** Starts a proxy. @param target `host:port` of the service, without TLS, such as that of a Pub/Sub emulator */
export async function startGrpcFaultProxy(target: string): Promise<GrpcFaultProxy> {
  const faults = new FaultDecider();
  const sessions = new Set<Http2Session>();
  const open = new Set<ServerHttp2Stream>();
  let rejectedMessages = 0;
  let service: ClientHttp2Session | undefined;

  const connectService = (): ClientHttp2Session => {
    if (service && !service.closed && !service.destroyed) return service;
    const session = connect(`http://${target}`);
    session.on("error", () => undefined);
    session.on("close", () => sessions.delete(session));
    sessions.add(session);
    service = session;
    return session;
  };

  /** @param body the whole call; undefined: it is piped */
  function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body?: Buffer, isAnswerLost = false): void {
    const call = connectService().request(endToEnd(headers), { endStream: false });
    call.on("error", () => fail(stream));
    stream.on("close", () => call.close(constants.NGHTTP2_CANCEL));
    if (body) call.end(body);
    else stream.pipe(call);
    if (isAnswerLost) {
      call.resume();
      call.on("end", () => fail(stream));
      return;
    }
    let trailers: OutgoingHttpHeaders = {};
    call.on("trailers", (received: IncomingHttpHeaders) => (trailers = endToEnd(received)));
    call.on("response", (response, flags) => {
      if (stream.closed || stream.destroyed || stream.headersSent) return;
      if (flags & constants.NGHTTP2_FLAG_END_STREAM) {
        stream.respond(endToEnd(response), { endStream: true });
        return;
      }
      stream.respond(endToEnd(response), { waitForTrailers: true });
      call.pipe(stream);
    });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  }

  async function handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on("error", () => undefined);
    const path = headers[":path"] ?? "";
    const fault = faults.decide(path);
    if (fault === "error") return fail(stream);
    if (fault === "no answer") return void stream.resume();
    const { keepsMessage } = proxy;
    if (path === PUBLISH && keepsMessage) {
      const kept = keepMessages(await buffer(stream), (index) => {
        const keeps = keepsMessage(index);
        if (!keeps) rejectedMessages++;
        return keeps;
      });
      return forward(stream, headers, kept);
    }
    open.add(stream);
    stream.on("close", () => open.delete(stream));
    forward(stream, headers, undefined, fault === "answer lost");
  }

  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    handle(stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: GrpcFaultProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    keepsMessage: undefined,
    get rejectedMessages() {
      return rejectedMessages;
    },
    breakStreams() {
      for (const stream of open) fail(stream);
    },
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
  return proxy;
}
