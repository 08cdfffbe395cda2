import * as grpc from "@grpc/grpc-js";
import { google } from "@google-cloud/pubsub/build/protos/protos";

const { StreamingPullRequest, StreamingPullResponse, ModifyAckDeadlineRequest, AcknowledgeRequest } = google.pubsub.v1;
const { Empty } = google.protobuf;

/** A message to deliver. */
export interface FakeMessage {
  readonly id: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  /** Epoch ms. */
  readonly publishTime: number;
}

type PullCall = grpc.ServerDuplexStream<google.pubsub.v1.StreamingPullRequest, google.pubsub.v1.IStreamingPullResponse>;
type UnaryCall<T> = grpc.ServerUnaryCall<T, google.protobuf.IEmpty>;
type Callback = grpc.sendUnaryData<google.protobuf.IEmpty>;

interface ProtoType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function method<I, O>(name: string, input: ProtoType<I>, output: ProtoType<O>, isStream: boolean) {
  return {
    path: `/google.pubsub.v1.Subscriber/${name}`,
    requestStream: isStream,
    responseStream: isStream,
    requestSerialize: (value: I) => Buffer.from(input.encode(value).finish()),
    requestDeserialize: (bytes: Buffer) => input.decode(bytes),
    responseSerialize: (value: O) => Buffer.from(output.encode(value).finish()),
    responseDeserialize: (bytes: Buffer) => output.decode(bytes),
  };
}

const SERVICE = {
  streamingPull: method("StreamingPull", StreamingPullRequest, StreamingPullResponse, true),
  modifyAckDeadline: method("ModifyAckDeadline", ModifyAckDeadlineRequest, Empty, false),
  acknowledge: method("Acknowledge", AcknowledgeRequest, Empty, false),
};

/**
 * The part of Pub/Sub that a subscriber uses, over gRPC. It delivers each message once, never redelivers, and counts what the
 * client does with the leases, which the emulator does not tell.
 */
export class FakeSubscriberServer {
  /** Ids of acknowledged messages. */
  readonly acknowledged: string[] = [];
  /** Ids of nacked messages. */
  readonly nacked: string[] = [];
  /** Number of lease extensions, counted per message; the receipt of a message counts as one. */
  extensions = 0;
  /** Whether requests about leases get no answer. */
  isFrozen = false;
  /** The open pulls, with the paths of their subscriptions. */
  private readonly streams = new Map<PullCall, string>();
  private readonly unanswered: Callback[] = [];
  private waiting: { readonly messages: readonly FakeMessage[]; readonly subscription: string | undefined }[] = [];

  private constructor(
    private readonly server: grpc.Server,
    /** `127.0.0.1:PORT`, for PUBSUB_EMULATOR_HOST. */
    public host: string,
  ) {}

  static async start(): Promise<FakeSubscriberServer> {
    const server = new grpc.Server();
    const fake = new FakeSubscriberServer(server, "");
    server.addService(SERVICE, {
      streamingPull: (call: PullCall) => fake.pull(call),
      modifyAckDeadline: (call: UnaryCall<google.pubsub.v1.ModifyAckDeadlineRequest>, callback: Callback) => {
        const { ackIds, ackDeadlineSeconds } = call.request;
        if (ackDeadlineSeconds === 0) fake.nacked.push(...ackIds);
        else fake.extensions += ackIds.length;
        fake.answer(callback);
      },
      acknowledge: (call: UnaryCall<google.pubsub.v1.AcknowledgeRequest>, callback: Callback) => {
        fake.acknowledged.push(...call.request.ackIds);
        fake.answer(callback);
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    fake.host = `127.0.0.1:${port}`;
    return fake;
  }

  /**
   * Delivers messages in one response, now or as soon as a client pulls. Their ids are also their ack ids.
   * @param subscription the id of the subscription; undefined: any
   */
  deliver(messages: readonly FakeMessage[], subscription?: string): void {
    const isWanted = (path: string): boolean =>
      subscription === undefined || path.endsWith(`/subscriptions/${subscription}`);
    const [stream] = [...this.streams].find(([, path]) => isWanted(path)) ?? [];
    if (!stream) {
      this.waiting.push({ messages, subscription });
      return;
    }
    stream.write({
      receivedMessages: messages.map(({ id, data, attributes, publishTime }) => ({
        ackId: id,
        message: {
          messageId: id,
          data,
          attributes,
          publishTime: { seconds: Math.floor(publishTime / 1000), nanos: (publishTime % 1000) * 1e6 },
        },
      })),
    });
  }

  /** Answers all requests that got no answer while the server was frozen, and those that follow. */
  thaw(): void {
    this.isFrozen = false;
    for (const callback of this.unanswered.splice(0)) callback(null, {});
  }

  /** Ends all pulls with UNAVAILABLE, as the service does from time to time. */
  endPulls(): void {
    for (const call of this.streams.keys()) {
      this.streams.delete(call);
      call.emit("error", { code: grpc.status.UNAVAILABLE, details: "the pull ends" });
    }
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private answer(callback: Callback): void {
    if (this.isFrozen) this.unanswered.push(callback);
    else callback(null, {});
  }

  private pull(call: PullCall): void {
    const remove = (): void => void this.streams.delete(call);
    call.on("data", ({ subscription }: google.pubsub.v1.StreamingPullRequest) => {
      // The first request names the subscription, later ones keep the stream alive.
      if (this.streams.has(call)) return;
      this.streams.set(call, subscription);
      const waiting = this.waiting;
      this.waiting = [];
      for (const one of waiting) this.deliver(one.messages, one.subscription);
    });
    call.on("end", () => {
      remove();
      call.end();
    });
    call.on("cancelled", remove);
    call.on("error", remove);
  }
}
