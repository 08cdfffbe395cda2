import { PubSub, type ClientConfig } from "@google-cloud/pubsub";
import { PassThroughClient, type AuthClient } from "google-auth-library";
import { CONNECT_TIMEOUT_OPTION, supportConnectTimeout } from "./connectTimeout";

const CHANNEL_OPTIONS: ClientConfig & Record<string, unknown> = {
  // google-gax removes one "grpc.". Without this option, the pause between connection attempts grows to two minutes.
  "grpc.grpc.max_reconnect_backoff_ms": 1000,
  [CONNECT_TIMEOUT_OPTION]: 2000,
};

/** The cast is needed because the client has its own copy of google-auth-library. */
const authOptions = (authClient: AuthClient): ClientConfig => ({
  authClient: authClient as unknown as NonNullable<ClientConfig["authClient"]>,
});

/** Time limit for the response to a keep-alive ping; ms. */
const KEEP_ALIVE_TIMEOUT_MS = 3000;

export interface PubSubClientOptions {
  readonly project: string;
  /**
   * Interval of keep-alive pings on a connection with calls in flight; ms. They detect a connection that died silently.
   * Do not use short intervals for idle streams: servers close connections on which they get many pings and send nothing.
   * @default 5 min, as in the client library
   */
  readonly keepAliveMs?: number;
  /** Credentials for Google, not used with an emulator. @default the client library's own search */
  readonly authClient?: AuthClient | undefined;
}

const keepAliveOptions = (keepAliveMs: number): ClientConfig & Record<string, unknown> => ({
  "grpc.keepalive_time_ms": keepAliveMs,
  "grpc.keepalive_timeout_ms": KEEP_ALIVE_TIMEOUT_MS,
});

/** Creates a Pub/Sub client; for an emulator if the standard variable PUBSUB_EMULATOR_HOST is set. */
export function pubSubClient({ project, keepAliveMs, authClient }: PubSubClientOptions): PubSub {
  supportConnectTimeout();
  const keepAlive = keepAliveMs === undefined ? {} : keepAliveOptions(keepAliveMs);
  // With an emulator, the client must not look for credentials or a metadata server.
  const auth = process.env.PUBSUB_EMULATOR_HOST ? new PassThroughClient() : authClient;
  return new PubSub({ projectId: project, ...CHANNEL_OPTIONS, ...keepAlive, ...(auth && authOptions(auth)) });
}
