import "@eventlogger/beam/sdk";
import { parDo, withName, type PCollection, type Root } from "apache-beam";
import { rawExternalTransform } from "apache-beam/transforms/external";
import type { AsyncPTransform } from "apache-beam/transforms/transform";
import { applyAsync, pipe } from "@eventlogger/beam";
import type { PubSubMessage } from "./message";
import { decodePubsubMessage } from "./pubsubMessageProto";
import { registerModule } from "@eventlogger/beam/registerModule";

export interface JavaReadOptions {
  readonly project: string;
  readonly subscription: string;
  /** Attribute with the event time, in epoch ms or as RFC 3339. */
  readonly timestampAttribute: string;
  /** Attribute by which the runner removes duplicates that were published within about ten minutes. */
  readonly idAttribute: string;
  /** `host:port` of a Java expansion service with Beam's Pub/Sub source. */
  readonly expansionAddress: string;
}

/** Decodes the serialised messages that Java's source emits. */
export class DecodeMessages {
  *process(bytes: Uint8Array): Iterable<PubSubMessage> {
    yield decodePubsubMessage(bytes);
  }
}

/**
 * Reads a Pub/Sub subscription through Beam's Java source. Dataflow replaces it by its native source, which acknowledges,
 * tracks the watermark and removes duplicates. The source provides data and message id, but no publish time.
 *
 * Do not use it on other runners: Java's own source opens dozens of readers that interfere with each other.
 */
export function readFromPubSubJava(options: JavaReadOptions): AsyncPTransform<Root, PCollection<PubSubMessage>> {
  const { project, subscription, timestampAttribute, idAttribute, expansionAddress } = options;
  return withName("ReadFromPubSub", async (root: Root) => {
    const source = rawExternalTransform<Root, PCollection<Uint8Array>>(
      "beam:transform:org.apache.beam:pubsub_read:v1",
      // Names of the setters in Java (ExternalRead.Configuration).
      {
        subscription: `projects/${project}/subscriptions/${subscription}`,
        with_attributes: true,
        timestamp_attribute: timestampAttribute,
        id_label: idAttribute,
      },
      expansionAddress,
    );
    const serialised = await applyAsync(root, withName("Source", source));
    return pipe(serialised, withName("DecodeMessages", parDo(new DecodeMessages())));
  });
}

registerModule(module);
