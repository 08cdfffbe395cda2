import type { PubSub } from "@google-cloud/pubsub";
import { forwardBacklog } from "@eventlogger/gcp/pubsub/forwardBacklog";
import { liveSubscription, replayNames, type TopicAndSubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { copySubscription, deleteSubscription } from "@eventlogger/gcp/pubsub/setup/copySubscription";
import { removeReplay, setUpReplay } from "@eventlogger/gcp/pubsub/setup/setUpReplay";
import type { RebuildResources } from "../services";

/**
 * The topics and subscriptions of generations.
 * @param names the topic of published events, and the subscription of generation 1
 * @param quietMs a subscription is empty when it delivers nothing for this time; ms
 */
export function pubsubResources(pubsub: PubSub, names: TopicAndSubscription, quietMs: number): RebuildResources {
  return {
    names(generation, inherited) {
      const replay = replayNames(names, generation);
      return {
        subscription: inherited ?? liveSubscription(names.subscription, generation),
        replayTopic: replay.topic,
        replaySubscription: replay.subscription,
      };
    },
    async createLive(name, settingsOf) {
      await copySubscription(pubsub, name, settingsOf);
    },
    async createReplay(generation) {
      await setUpReplay(pubsub, { ...names, generation });
    },
    deleteLive: (name) => deleteSubscription(pubsub, name),
    async deleteReplay({ generation, replayTopic, replaySubscription }) {
      const known = replayNames(names, generation);
      await removeReplay(pubsub, {
        topic: replayTopic ?? known.topic,
        subscription: replaySubscription ?? known.subscription,
      });
    },
    forwardBacklog: (subscription, untilMs, signal) =>
      forwardBacklog(pubsub, subscription, { untilMs, quietMs, signal }),
  };
}
