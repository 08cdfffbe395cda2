import "@eventlogger/beam/sdk";
import { parDo, withName, type PCollection, type Root } from "apache-beam";
import { rawExternalTransform } from "apache-beam/transforms/external";
import type { AsyncPTransform } from "apache-beam/transforms/transform";
import { applyAsync, pipe } from "@eventlogger/beam";
import type { PubSubMessage } from "./message";
import { decodePubsubMessage, decodeReplayMessage } from "./pubsubMessageProto";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface JavaReadOptions {
  readonly project: string;
  readonly subscription: string;
  /** `host:port` of a Java expansion service with Beam's Pub/Sub source. */
  readonly expansionAddress: string;
}

export interface JavaLiveReadOptions extends JavaReadOptions {
  /** Attribute with the event time, in epoch ms or as RFC 3339. */
  readonly timestampAttribute: string;
  /** Attribute by which the runner removes duplicates that were published within about ten minutes. */
  readonly idAttribute: string;
}

/** Decodes the serialised messages that Java's source emits. */
export class DecodeMessages {
  *process(bytes: Uint8Array): Iterable<PubSubMessage> {
    yield decodePubsubMessage(bytes);
  }
}

/** Decodes the serialised messages of the replay subscription. */
export class DecodeReplayMessages {
  /** @param dataset the dataset that the pipeline writes to; messages for others are ignored */
  constructor(private readonly dataset: string) {}

  *process(bytes: Uint8Array): Iterable<PubSubMessage> {
    const message = decodeReplayMessage(bytes, this.dataset);
    if (message) yield message;
  }
}

type Read = AsyncPTransform<Root, PCollection<PubSubMessage>>;

/**
 * Java's Pub/Sub source. Its output are serialised messages.
 * @param settings by the names of the setters in Java (ExternalRead.Configuration)
 */
function javaSource(
  { project, subscription, expansionAddress }: JavaReadOptions,
  settings: { readonly timestamp_attribute?: string; readonly id_label?: string } = {},
): AsyncPTransform<Root, PCollection<Uint8Array>> {
  const source = rawExternalTransform<Root, PCollection<Uint8Array>>(
    "beam:transform:org.apache.beam:pubsub_read:v1",
    { subscription: `projects/${project}/subscriptions/${subscription}`, with_attributes: true, ...settings },
    expansionAddress,
  );
  return withName("Source", source);
}

/**
 * Reads a Pub/Sub subscription through Beam's Java source. Dataflow replaces it by its native source, which acknowledges,
 * tracks the watermark and removes duplicates. The source provides data and message id, but no publish time.
 *
 * Do not use it on other runners: Java's own source opens dozens of readers that interfere with each other.
 */
export function readFromPubSubJava(options: JavaLiveReadOptions): Read {
  const { timestampAttribute, idAttribute } = options;
  return withName("ReadFromPubSub", async (root: Root) => {
    const source = javaSource(options, { timestamp_attribute: timestampAttribute, id_label: idAttribute });
    const serialised = await applyAsync(root, source);
    return pipe(serialised, withName("DecodeMessages", parDo(new DecodeMessages())));
  });
}

/**
 * Reads the replay subscription, like {@link readFromPubSubJava}. Its messages have their publish time as timestamp, and no id by
 * which the runner could remove duplicates: the ledgers count repeated events once.
 */
export function readReplayJava(options: JavaReadOptions & { readonly dataset: string }): Read {
  return withName("ReadReplay", async (root: Root) => {
    const serialised = await applyAsync(root, javaSource(options));
    return pipe(serialised, withName("DecodeMessages", parDo(new DecodeReplayMessages(options.dataset))));
  });
}

registerModule(module);
