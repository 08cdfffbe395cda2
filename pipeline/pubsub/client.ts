import { PubSub, type ClientConfig } from "@google-cloud/pubsub";
import { PassThroughClient } from "google-auth-library";

/** google-gax takes one "grpc." off. Without this the pause between attempts to connect grows to two minutes. */
const CHANNEL_OPTIONS: ClientConfig & Record<string, unknown> = { "grpc.grpc.max_reconnect_backoff_ms": 2000 };

/**
 * An emulator is no Google service: without this, the client looks for credentials and for a metadata server. (The types
 * differ only in that the client has a google-auth-library of its own.)
 */
const emulatorOptions = (): ClientConfig => ({
  authClient: new PassThroughClient() as unknown as NonNullable<ClientConfig["authClient"]>,
});

/** The client for a project; for an emulator when the standard variable PUBSUB_EMULATOR_HOST names one. */
export function pubSubClient({ project }: { readonly project: string }): PubSub {
  const emulator = process.env.PUBSUB_EMULATOR_HOST ? emulatorOptions() : {};
  return new PubSub({ projectId: project, ...CHANNEL_OPTIONS, ...emulator });
}
