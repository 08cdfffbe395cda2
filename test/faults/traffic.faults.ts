import assert from "node:assert/strict";
import type { EventInput } from "@eventlogger/events/event";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { printFigures } from "./faultReport";
import { sendBatches } from "./rig/batchSender";
import { usePipelineRig } from "./rig/pipelineRig";

const SETTLE_MS = 180_000;
const HOUR_MS = 3_600_000;

/** Makes every n-th event invalid, each in one of several ways. */
function spoil(events: readonly EventInput[], share: number): { mixed: EventInput[]; good: Set<EventInput> } {
  const ways: readonly ((event: EventInput) => object)[] = [
    (event) => ({ ...event, session_id: "" }),
    (event) => ({ ...event, event_time: "yesterday" }),
    (event) => ({ ...event, type: "page" }),
    (event) => ({ ...event, event_name: "" }),
  ];
  const good = new Set<EventInput>();
  let due = 0;
  const mixed = events.map((event, i) => {
    due += share;
    if (due >= 1) {
      due -= 1;
      return (ways[i % ways.length] as (typeof ways)[number])(event) as EventInput;
    }
    good.add(event);
    return event;
  });
  return { mixed, good };
}

describe("The whole chain with unusual traffic", function () {
  this.timeout(400_000);
  const rig = usePipelineRig();

  for (const percent of [5, 50, 100]) {
    it(`every valid event is counted, and every invalid one is rejected by its index, when ${percent} % are invalid`, async () => {
      const { mixed, good } = spoil(rig.traffic({ count: 3000 }), percent / 100);
      let rejected = 0;
      await sendBatches(rig.url, mixed, {
        rate: 500,
        onAnswer(answer, batch) {
          const expected = batch.flatMap((event, index) => (good.has(event) ? [] : [index]));
          assert.deepEqual(
            answer.rejected.map(({ index }) => index),
            expected,
          );
          rejected += expected.length;
          rig.ledger.add(batch.filter((event) => good.has(event)));
        },
      });
      printFigures(`${good.size} accepted, ${rejected} rejected`);
      await rig.settle(SETTLE_MS);
    });
  }

  it("every invalid message that was published to the topic is a dead letter, and the events beside them are counted", async () => {
    process.env["PUBSUB_EMULATOR_HOST"] = rig.pubsubHost;
    const pubsub = pubSubClient({ project: "demo-project" });
    try {
      const topic = pubsub.topic("events");
      // Like a topic of a publisher that has no schema.
      await topic.setMetadata({ schemaSettings: null });
      const payloads = Array.from({ length: 1500 }, (_, i) => (i % 2 ? `{not json ${i}` : `{"type":"event","n":${i}}`));
      const publishing = payloads.map((payload) => topic.publishMessage({ data: Buffer.from(payload) }));
      await rig.send(rig.traffic({ count: 1500 }), { rate: 500 });
      await Promise.all(publishing);
      for (const payload of payloads) rig.ledger.addInvalidMessage(payload);
    } finally {
      await pubsub.close();
      delete process.env["PUBSUB_EMULATOR_HOST"];
    }
    await rig.settle(SETTLE_MS);
  });

  it("a backlog of one hour of events is processed to exact numbers after the pipeline was away", async () => {
    await rig.stopPipeline();
    // Sessions of the last hour, in the order of their time: 20 events per second.
    const now = Date.now();
    const events = rig
      .traffic({ count: 36_000, days: 1, oldShare: 0, now, shuffleWindow: 100 })
      .map((event, i, all) => ({
        ...event,
        event_time: now - HOUR_MS + Math.floor((i / all.length) * HOUR_MS),
      }));
    const unique = [...new Map(events.map((event) => [event.event_id, event])).values()];
    await rig.send(unique);
    await rig.startPipeline();
    await rig.settle(SETTLE_MS);
  });
});
