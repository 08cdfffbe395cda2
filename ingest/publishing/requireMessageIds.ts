import type { Topic } from "@google-cloud/pubsub";

/** gRPC status code. */
const UNKNOWN = 2;

/** What the client's `request` takes and gives. */
interface RequestConfig {
  readonly method: string;
  readonly reqOpts?: object;
}
type RequestCallback = (error: Error | null, answer?: unknown) => void;

/**
 * Fails each publish request whose answer has not exactly one id for each message, whatever the status of the answer:
 * Pub/Sub has not taken the messages without an id. With fewer ids than messages nobody knows which ones these are. Google's
 * library takes such an answer for a success.
 */
export function requireMessageIds(topic: Topic): void {
  const request = topic.request.bind(topic) as (config: RequestConfig, callback: RequestCallback) => void;
  const checked = (config: RequestConfig, callback: RequestCallback): void =>
    request(config, (error, answer) => {
      if (error || config.method !== "publish") return callback(error, answer);
      const { messages = [] } = (config.reqOpts ?? {}) as { messages?: readonly unknown[] };
      const ids = (answer as { messageIds?: readonly string[] } | null | undefined)?.messageIds ?? [];
      if (ids.length === messages.length && !ids.includes("")) return callback(null, answer);
      const message = `Pub/Sub answered ${messages.length} messages with ${ids.filter((id) => id !== "").length} ids`;
      callback(Object.assign(new Error(message), { code: UNKNOWN }));
    });
  topic.request = checked as Topic["request"];
}
