import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Message, PubSub, Subscription, Topic } from "@google-cloud/pubsub";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";

const PROJECT = "demo-project";

/** An ingest replica in a process of its own. */
export interface TestReplica {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
}

/** A topic with a subscription that collects its messages. */
export interface TestTopic {
  readonly name: string;
  readonly topic: Topic;
  /** Collected messages by their attribute event_id. */
  readonly messages: ReadonlyMap<string, Message>;
  /** Number of deliveries of messages with this attribute event_id. */
  deliveries(eventId: string): number;
  /** Waits for the message with this attribute event_id. @throws TimeoutError when it does not arrive */
  message(eventId: string): Promise<Message>;
}

export interface IngestFixture {
  readonly emulator: PubSubEmulator;
  readonly pubsub: PubSub;
  freshTopic(): Promise<TestTopic>;
  /** Starts a replica; `env` has its options as environment variables. It is stopped after the tests at the latest. */
  startReplica(env: Readonly<Record<string, string>>): Promise<TestReplica>;
}

/** Waits for a condition. @throws TimeoutError when it does not hold within the time limit of {@link waitUntil} */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await waitUntil(what, holds, { intervalMs: 20 });
}

/** Runs a Pub/Sub emulator around the tests of the `describe` that calls this. */
export function useIngest(): IngestFixture {
  let directory: string;
  let emulator: PubSubEmulator | undefined;
  let pubsub: PubSub;
  let names = 0;
  const replicas: ChildProcess[] = [];
  const subscriptions: Subscription[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "ingest-"));
    emulator = await startPubSubEmulator({ logFile: join(directory, "pubsub.log") });
    process.env.PUBSUB_EMULATOR_HOST = emulator.host;
    pubsub = pubSubClient({ project: PROJECT });
  });
  after(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    await pubsub?.close();
    await emulator?.stop();
    delete process.env.PUBSUB_EMULATOR_HOST;
    rmSync(directory, { recursive: true });
  });

  return {
    get emulator() {
      return emulator as PubSubEmulator;
    },
    get pubsub() {
      return pubsub;
    },
    async freshTopic() {
      const name = `topic-${++names}`;
      const [topic] = await pubsub.createTopic(name);
      const [subscription] = await topic.createSubscription(`${name}-all`);
      subscriptions.push(subscription);
      const messages = new Map<string, Message>();
      const deliveries = new Map<string, number>();
      subscription.on("message", (message: Message) => {
        const eventId = message.attributes.event_id ?? message.id;
        messages.set(eventId, message);
        deliveries.set(eventId, (deliveries.get(eventId) ?? 0) + 1);
        message.ack();
      });
      return {
        name,
        topic,
        messages,
        deliveries: (eventId) => deliveries.get(eventId) ?? 0,
        async message(eventId) {
          await eventually(() => messages.has(eventId), `message ${eventId} in topic ${name}`);
          return messages.get(eventId) as Message;
        },
      };
    },
    async startReplica(env) {
      const port = env.PORT ? Number(env.PORT) : await freePort();
      const child = await startChildProcess({
        name: "ingest replica",
        command: process.execPath,
        args: [join(packageRootOf(__filename), "dist", "main.js")],
        env: { PROJECT, PORT: String(port), PUBSUB_EMULATOR_HOST: emulator?.host, ...env },
        logFile: join(directory, `replica-${port}.log`),
      });
      replicas.push(child);
      const url = `http://127.0.0.1:${port}`;
      await awaitReady(child, () => answers(`${url}/healthz`), 60_000);
      return { url, port, process: child };
    },
  };
}
