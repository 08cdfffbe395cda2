import type { Socket } from "node:net";
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport";

/**
 * Channel option: how long an attempt to connect may take until the server has sent its first HTTP/2 frame, ms.
 *
 * grpc-js 1.14 waits for it without end, and as long as the system for a server that does not answer at all (Linux: two
 * minutes). A network that swallowed the attempt and works again long since is then not tried again. With this option the
 * attempt fails, and the next one begins.
 */
export const CONNECT_TIMEOUT_OPTION = "grpc-node.connect_timeout_ms";

type Connect = Http2SubchannelConnector["connect"];
type Transport = Awaited<ReturnType<Connect>>;

/** An attempt to connect that is given up when it takes too long. */
function attempt(
  connect: Connect,
  timeoutMs: number,
  [address, secureConnector, options]: Parameters<Connect>,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const tooLate = new Error(`Not connected within ${timeoutMs} ms`);
    let isLate = false;
    let socket: Socket | undefined;
    const timer = setTimeout(() => {
      isLate = true;
      socket?.destroy();
      reject(tooLate);
    }, timeoutMs);
    const watched: typeof secureConnector = {
      connect(tcpSocket) {
        // What was begun too long ago and connects at last is of no use to anybody.
        if (isLate) return Promise.reject(tooLate);
        socket = tcpSocket;
        return secureConnector.connect(tcpSocket);
      },
      waitForReady: () => secureConnector.waitForReady(),
      getCallCredentials: () => secureConnector.getCallCredentials(),
      destroy: () => secureConnector.destroy(),
    };
    connect(address, watched, options).then(
      (transport) => {
        clearTimeout(timer);
        if (isLate) transport.shutdown();
        else resolve(transport);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

let installed = false;

/**
 * Makes {@link CONNECT_TIMEOUT_OPTION} work for all channels of this process that have it; safe to repeat.
 * @throws Error when this grpc-js connects in another way.
 */
export function supportConnectTimeout(): void {
  if (installed) return;
  const { prototype } = Http2SubchannelConnector as { readonly prototype: { connect?: Connect } };
  const original = prototype.connect;
  if (typeof original !== "function") {
    throw new Error("@grpc/grpc-js connects in a way that pipeline/pubsub/connectTimeout.ts does not know: use 1.14.7");
  }
  prototype.connect = function (this: Http2SubchannelConnector, ...args: Parameters<Connect>) {
    const timeoutMs: unknown = (args[2] as Readonly<Record<string, unknown>>)[CONNECT_TIMEOUT_OPTION];
    const connect: Connect = original.bind(this);
    return typeof timeoutMs === "number" ? attempt(connect, timeoutMs, args) : connect(...args);
  };
  installed = true;
}
