import { PubSub, type ClientConfig } from "@google-cloud/pubsub";
import { PassThroughClient } from "google-auth-library";
import { CONNECT_TIMEOUT_OPTION, supportConnectTimeout } from "./connectTimeout";

const CHANNEL_OPTIONS: ClientConfig & Record<string, unknown> = {
  // google-gax takes one "grpc." off. Without this the pause between attempts to connect grows to two minutes.
  "grpc.grpc.max_reconnect_backoff_ms": 1000,
  [CONNECT_TIMEOUT_OPTION]: 2000,
};

/**
 * An emulator is no Google service: without this, the client looks for credentials and for a metadata server. (The types
 * differ only in that the client has a google-auth-library of its own.)
 */
const emulatorOptions = (): ClientConfig => ({
  authClient: new PassThroughClient() as unknown as NonNullable<ClientConfig["authClient"]>,
});

/** How long an answer to a keep-alive ping may take, ms. */
const KEEP_ALIVE_TIMEOUT_MS = 3000;

export interface PubSubClientOptions {
  readonly project: string;
  /**
   * How often a connection with calls under way is tried, ms: one that has died without a word is only noticed by this.
   * Servers close connections on which they get pings often and send nothing, so it is not for streams that idle.
   * @default the client library's, 5 min
   */
  readonly keepAliveMs?: number;
}

const keepAliveOptions = (keepAliveMs: number): ClientConfig & Record<string, unknown> => ({
  "grpc.keepalive_time_ms": keepAliveMs,
  "grpc.keepalive_timeout_ms": KEEP_ALIVE_TIMEOUT_MS,
});

/** The client for a project; for an emulator when the standard variable PUBSUB_EMULATOR_HOST names one. */
export function pubSubClient({ project, keepAliveMs }: PubSubClientOptions): PubSub {
  supportConnectTimeout();
  const keepAlive = keepAliveMs === undefined ? {} : keepAliveOptions(keepAliveMs);
  const emulator = process.env.PUBSUB_EMULATOR_HOST ? emulatorOptions() : {};
  return new PubSub({ projectId: project, ...CHANNEL_OPTIONS, ...keepAlive, ...emulator });
}
