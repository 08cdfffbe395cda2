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
  /** Attribute by which the runner recognises a message that was published twice, within some ten minutes. */
  readonly idAttribute: string;
  /** `host:port` of a Java expansion service with Beam's Pub/Sub source. */
  readonly expansionAddress: string;
}

/** Makes messages of what Java's source gives out. */
export class DecodeMessages {
  *process(bytes: Uint8Array): Iterable<PubSubMessage> {
    yield decodePubsubMessage(bytes);
  }
}

/**
 * Reads a Pub/Sub subscription through Beam's Java source, which Dataflow replaces by its own: that acknowledges, tracks
 * the watermark and removes duplicates. It hands on a message's data and id, but no publish time.
 *
 * On other runners Java's source does not do: it opens dozens of readers that get in each other's way.
 */
export function readFromPubSubJava(options: JavaReadOptions): AsyncPTransform<Root, PCollection<PubSubMessage>> {
  const { project, subscription, timestampAttribute, idAttribute, expansionAddress } = options;
  return withName("ReadFromPubSub", async (root: Root) => {
    const source = rawExternalTransform<Root, PCollection<Uint8Array>>(
      "beam:transform:org.apache.beam:pubsub_read:v1",
      // By the names of Java's setters (ExternalRead.Configuration).
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
