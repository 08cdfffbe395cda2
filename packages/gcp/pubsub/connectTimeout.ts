import type { Socket } from "node:net";
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport";

/**
 * Channel option: time limit of a connection attempt, until the server has sent its first HTTP/2 frame; ms.
 *
 * grpc-js 1.14 has no such limit. If the server does not respond at all, an attempt lasts as long as the system allows
 * (Linux: two minutes), even if the network recovers earlier. With this option, the attempt fails and the next one begins.
 */
export const CONNECT_TIMEOUT_OPTION = "grpc-node.connect_timeout_ms";

type Connect = Http2SubchannelConnector["connect"];
type Transport = Awaited<ReturnType<Connect>>;

/** A connection attempt with a time limit. */
function attempt(
  connect: Connect,
  timeoutMs: number,
  [address, secureConnector, options]: Parameters<Connect>,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const timedOut = new Error(`Timed out after ${timeoutMs} ms: connecting`);
    let isTimedOut = false;
    let socket: Socket | undefined;
    const timer = setTimeout(() => {
      isTimedOut = true;
      socket?.destroy();
      reject(timedOut);
    }, timeoutMs);
    const watched: typeof secureConnector = {
      connect(tcpSocket) {
        // The attempt has already failed; do not continue it.
        if (isTimedOut) return Promise.reject(timedOut);
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
        if (isTimedOut) transport.shutdown();
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
 * Makes {@link CONNECT_TIMEOUT_OPTION} work for all channels of this process; safe to repeat.
 * @throws Error when the installed grpc-js has another connector
 */
export function supportConnectTimeout(): void {
  if (installed) return;
  const { prototype } = Http2SubchannelConnector as { readonly prototype: { connect?: Connect } };
  const original = prototype.connect;
  if (typeof original !== "function") {
    throw new Error("The connect timeout does not support this version of @grpc/grpc-js. Install version 1.14.7");
  }
  prototype.connect = function (this: Http2SubchannelConnector, ...args: Parameters<Connect>) {
    const timeoutMs: unknown = (args[2] as Readonly<Record<string, unknown>>)[CONNECT_TIMEOUT_OPTION];
    const connect: Connect = original.bind(this);
    return typeof timeoutMs === "number" ? attempt(connect, timeoutMs, args) : connect(...args);
  };
  installed = true;
}
