/**
 * A minimal runner: the runner's side of Beam's Fn API over real gRPC on 127.0.0.1. It runs single bundles on a worker in
 * this process or in another one, so that tests see how a worker uses the protocol, and can break its streams.
 */
import "../sdk";
import * as grpc from "@grpc/grpc-js";
import Long from "long";
import protobufjs from "protobufjs";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import {
  beamFnControlDefinition,
  beamFnDataDefinition,
  beamFnStateDefinition,
} from "apache-beam/proto/beam_fn_api.grpc-server";
import { Context, type Coder } from "apache-beam/coders/coders";
import { FullWindowedValueCoder } from "apache-beam/coders/required_coders";
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { PipelineContext, type Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection, Root } from "apache-beam";
import type { PValue } from "apache-beam/pvalue";
import { withName } from "apache-beam/transforms/transform";
import { GlobalWindow, IntervalWindow, type Window, type WindowedValue } from "apache-beam/values";
import { Worker } from "apache-beam/worker/worker";
import { waitUntil } from "@eventlogger/process/wait";
import type { TimerCoder } from "../coders/timer";
import { NO_FIRING } from "../dofn/context";
import { BATCH_INSTRUCTION } from "../patches/stateMessages";
import { buildPipeline, pipe, stringCoder } from "../index";
import { encode } from "./codec";

const SOURCE_URN = "beam:runner:source:v1";
/** A collection that the runner has; it is not a step of a bundle. */
const SIDE_URN = "test:side_input";
const SINK_URN = "beam:runner:sink:v1";
const SDF_DOFN_URN = "beam:dofn:js_splittable:v1";
const PROCESS_URN = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
const TRUNCATE_URN = "beam:transform:sdf_truncate_sized_restrictions:v1";
const SOURCE_ID = "source";
const SINK_ID = "sink";

type Call<I, O> = grpc.ServerDuplexStream<I, O>;
type Waiting<T> = (value: T) => void;

/** A running instruction. */
export interface RunningBundle {
  readonly id: string;
  /** The response of the worker, which may contain an error. */
  readonly response: Promise<fnApi.InstructionResponse>;
}

/** A family of timers of a step. */
interface TimerFamily {
  readonly transformId: string;
  readonly family: string;
  readonly coder: TimerCoder<unknown>;
}

/** An output that no step reads. */
interface Sink {
  /** Tag of the output of its step. */
  readonly tag: string;
  readonly coder: Coder<unknown>;
}

interface Described {
  readonly proto: fnApi.ProcessBundleDescriptor;
  readonly input: Coder<unknown>;
  readonly sinks: ReadonlyMap<string, Sink>;
  readonly timerFamilies: readonly TimerFamily[];
}

/** An element with a time, for {@link MiniRunner.send}; other values have the time 0. */
export class Timed {
  constructor(
    readonly value: unknown,
    readonly timestampMs: number,
  ) {}
}

/** An element that a bundle has sent. */
export interface Emitted {
  readonly tag: string;
  readonly value: unknown;
  readonly timestampMs: number;
  /** `[start, end)` in ms, or `global`. */
  readonly window: string;
  /** First byte of the pane in the encoding of the Beam model. */
  readonly pane: number;
}

/** A timer that a bundle has set or cleared. */
export interface SetTimer {
  readonly family: string;
  readonly key: unknown;
  readonly tag: string;
  readonly window: string;
  /** Undefined: cleared. */
  readonly fireMs?: number;
  readonly holdMs?: number;
}

/** A timer that fires in a bundle. */
export interface FiringTimer {
  readonly family: string;
  readonly key: unknown;
  readonly tag?: string;
  readonly window?: Window;
  readonly fireMs: number;
  readonly holdMs?: number;
}

function windowText(window: Window): string {
  return window instanceof IntervalWindow ? `[${window.start.toString()}, ${window.end.toString()})` : "global";
}

/** Creates a collection for a side input; the runner answers requests for its elements from `stored`. */
export type SideSource = <T>(name: string, coder: Coder<T>) => PCollection<T>;

export class MiniRunner {
  private readonly server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  private readonly descriptors = new Map<string, Described>();
  private readonly answers = new Map<string, Waiting<fnApi.InstructionResponse>>();
  private nextId = 1;
  private workerInstance: Worker | undefined;
  private control: Call<fnApi.InstructionResponse, fnApi.InstructionRequest> | undefined;
  private data: Call<fnApi.Elements, fnApi.Elements> | undefined;
  private state: Call<fnApi.StateRequest, fnApi.StateResponse> | undefined;
  private onConnected: (() => void) | undefined;
  address = "";
  /** Messages with timers that the worker has set, of all bundles. */
  readonly timers: fnApi.Elements_Timers[] = [];
  /** Messages with output by bundle. */
  private readonly outputs = new Map<string, fnApi.Elements_Data[]>();
  /** Descriptor by bundle. */
  private readonly bundles = new Map<string, string>();
  /** Bytes of user state by key, as text. */
  readonly stored = new Map<string, Uint8Array>();
  /** Each request of user state, as `get`, `append` or `clear`. */
  readonly stateRequests: string[] = [];
  /** Whether requests of user state stay unanswered. */
  stateHangs = false;
  private hanging: (() => void)[] = [];
  /** Messages on the state stream, each of which may contain many requests. */
  stateMessages = 0;
  /** Whether the runner answers many state requests in one message, as the Flink runner of this library does. */
  answersStateBatches = false;
  /** Console output of the worker; it is not printed. */
  readonly logged: string[] = [];
  /** Whether the worker has ended its control stream. */
  controlEnded = false;
  /** Number of descriptor requests of the worker. */
  descriptorRequests = 0;

  /** Starts the runner and, by default, a worker in this process. */
  static async start({ ownWorker = true } = {}): Promise<MiniRunner> {
    const runner = new MiniRunner();
    await runner.listen();
    if (ownWorker) {
      runner.workerInstance = new Worker("worker", { controlUrl: runner.address });
      await runner.connected;
    }
    return runner;
  }

  /** Resolves when a worker has connected. */
  readonly connected = new Promise<void>((resolve) => (this.onConnected = resolve));

  get worker(): Worker {
    return this.workerInstance as Worker;
  }

  private async listen(): Promise<void> {
    type Unary = (
      call: grpc.ServerUnaryCall<fnApi.GetProcessBundleDescriptorRequest, fnApi.ProcessBundleDescriptor>,
      callback: grpc.sendUnaryData<fnApi.ProcessBundleDescriptor>,
    ) => void;
    const getProcessBundleDescriptor: Unary = (call, callback) => {
      this.descriptorRequests++;
      const found = this.descriptors.get(call.request.processBundleDescriptorId);
      if (found) callback(null, found.proto);
      else callback({ code: grpc.status.NOT_FOUND, details: "no such descriptor" });
    };
    this.server.addService(beamFnControlDefinition, {
      getProcessBundleDescriptor,
      control: (call: Call<fnApi.InstructionResponse, fnApi.InstructionRequest>) => {
        this.control = call;
        call.on("error", () => {});
        call.on("data", (response: fnApi.InstructionResponse) => this.answers.get(response.instructionId)?.(response));
        call.on("end", () => (this.controlEnded = true));
        this.onConnected?.();
      },
    });
    this.server.addService(beamFnDataDefinition, {
      data: (call: Call<fnApi.Elements, fnApi.Elements>) => {
        this.data = call;
        call.on("error", () => {});
        call.on("data", ({ data, timers }: fnApi.Elements) => {
          for (const message of data) this.outputs.get(message.instructionId)?.push(message);
          this.timers.push(...timers);
        });
      },
    });
    this.server.addService(beamFnStateDefinition, {
      state: (call: Call<fnApi.StateRequest, fnApi.StateResponse>) => {
        this.state = call;
        call.on("error", () => {});
        call.on("data", (request: fnApi.StateRequest) => {
          this.stateMessages++;
          if (request.instructionId === BATCH_INSTRUCTION) this.answerBatch(call, request);
          else this.answerState((response) => void call.write(response), request);
        });
      },
    });
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    this.address = `127.0.0.1:${port}`;
    keepConsoleQuiet(this);
  }

  /** Answers as `GrpcStateService` of the Flink runner, or as a runner that does not know batches. */
  private answerBatch(call: Call<fnApi.StateRequest, fnApi.StateResponse>, batch: fnApi.StateRequest): void {
    const { id, request } = batch;
    if (!this.answersStateBatches || request.oneofKind !== "append") {
      call.write({ id, error: "unknown instruction", response: { oneofKind: undefined } });
      return;
    }
    const answers = new protobufjs.Writer();
    const states: string[][] = [];
    let instructionId = "";
    let unanswered = 0;
    const write = ({ error, response }: fnApi.StateResponse): void => {
      unanswered--;
      if (error) answers.uint32(3).string(error);
      else if (response.oneofKind !== "get") answers.uint32(0);
      else if (response.get.continuationToken.length === 0) answers.uint32(1).bytes(response.get.data);
      else answers.uint32(2).bytes(response.get.data).bytes(response.get.continuationToken);
    };
    for (const reader = new protobufjs.Reader(request.append.data); reader.pos < reader.len;) {
      const kind = reader.uint32();
      if (kind === 0) {
        instructionId = reader.string();
      } else if (kind === 1) {
        states.push([reader.string(), reader.string(), Buffer.from(reader.bytes()).toString("latin1")]);
      } else {
        const [transformId = "", userStateId = "", windowText = ""] = states[reader.uint32()] ?? [];
        const window = Buffer.from(windowText, "latin1");
        const bagUserState = { transformId, userStateId, window, key: reader.bytes() };
        const operation: fnApi.StateRequest["request"] =
          kind === 2
            ? { oneofKind: "get", get: { continuationToken: reader.bytes() } }
            : kind === 3
              ? { oneofKind: "append", append: { data: reader.bytes() } }
              : { oneofKind: "clear", clear: {} };
        const stateKey = { type: { oneofKind: "bagUserState" as const, bagUserState } };
        unanswered++;
        this.answerState(write, { id: "", instructionId, stateKey, request: operation });
      }
    }
    if (unanswered > 0) return;
    const data = answers.finish();
    call.write({ id, error: "", response: { oneofKind: "get", get: { data, continuationToken: new Uint8Array() } } });
  }

  private answerState(write: (response: fnApi.StateResponse) => void, request: fnApi.StateRequest): void {
    const kind = request.request.oneofKind ?? "";
    this.stateRequests.push(kind);
    if (this.stateHangs) {
      this.hanging.push(() => this.answerState(write, request));
      return;
    }
    const key = Buffer.from(fnApi.StateKey.toBinary(request.stateKey as fnApi.StateKey)).toString("base64");
    const stored = this.stored.get(key) ?? new Uint8Array();
    const answer = (response: fnApi.StateResponse["response"]): void => write({ id: request.id, error: "", response });
    if (request.request.oneofKind === "get") {
      // In chunks, as runners send large states.
      const from = Number(Buffer.from(request.request.get.continuationToken).toString() || "0");
      const to = Math.min(stored.length, from + 1000);
      const continuationToken = to < stored.length ? Buffer.from(String(to)) : new Uint8Array();
      answer({ oneofKind: "get", get: { data: stored.slice(from, to), continuationToken } });
    } else if (request.request.oneofKind === "append") {
      this.stored.set(key, Buffer.concat([stored, request.request.append.data]));
      answer({ oneofKind: "append", append: {} });
    } else {
      this.stored.delete(key);
      answer({ oneofKind: "clear", clear: {} });
    }
  }

  /**
   * Creates a bundle descriptor for a pipeline over strings (or restrictions, for a splittable ParDo), with a sink for each
   * output that no step reads.
   * @param options `inputCoder`: coder of the input, default strings. `splittable`: what splittable ParDos do, process
   *   restrictions (default), or truncate them for a drain
   */
  async describe<I = string>(
    id: string,
    build: (input: PCollection<I>, side: SideSource) => PValue<unknown>,
    options: { readonly inputCoder?: Coder<I>; readonly splittable?: "process" | "truncate" } = {},
  ): Promise<void> {
    const { inputCoder = stringCoder as Coder<unknown> as Coder<I>, splittable = "process" } = options;
    const { components } = await buildPipeline((root: Root) =>
      build(pipe(root, runnerSource(inputCoder)), (name, coder) => pipe(root, sideSource(name, coder))),
    );
    const { transforms, pcollections, coders, windowingStrategies } = components as runnerApi.Components;
    const proto = fnApi.ProcessBundleDescriptor.create({ id, pcollections, coders, windowingStrategies });
    proto.stateApiServiceDescriptor = { url: this.address };
    proto.timerApiServiceDescriptor = { url: this.address };
    const context = new PipelineContext(proto, "mini");
    const consumed = new Set<string>();
    const timerFamilies: TimerFamily[] = [];
    const tags = new Map<string, string>();
    let sourceOutput = "";
    for (const [transformId, transform] of Object.entries(transforms)) {
      const urn = transform.spec?.urn ?? "";
      if (!urn) continue; // the root
      for (const [tag, output] of Object.entries(transform.outputs)) tags.set(output, tag);
      if (urn === SIDE_URN) {
        consumed.add(Object.values(transform.outputs)[0] as string);
        continue;
      }
      const isSource = urn === SOURCE_URN;
      proto.transforms[isSource ? SOURCE_ID : transformId] = transform;
      for (const input of Object.values(transform.inputs)) consumed.add(input);
      if (isSource) sourceOutput = Object.values(transform.outputs)[0] as string;
      if (urn !== "beam:transform:pardo:v1") continue;
      const spec = runnerApi.ParDoPayload.fromBinary(transform.spec?.payload as Uint8Array);
      for (const [family, { timerFamilyCoderId }] of Object.entries(spec.timerFamilySpecs)) {
        timerFamilies.push({ transformId, family, coder: context.getCoder(timerFamilyCoderId) as TimerCoder<unknown> });
      }
      if (spec.doFn?.urn === SDF_DOFN_URN) {
        (transform.spec as runnerApi.FunctionSpec).urn = splittable === "process" ? PROCESS_URN : TRUNCATE_URN;
        proto.coders["restricted"] = coder("beam:coder:kv:v1", ["element", "restriction"]);
        proto.coders["sized"] = coder("beam:coder:kv:v1", ["restricted", "double"]);
        proto.coders["element"] = proto.coders["restriction"] = coder("beam:coder:bytes:v1");
        proto.coders["double"] = coder("beam:coder:double:v1");
        const restricted = Object.values(transform.inputs);
        if (splittable === "truncate") restricted.push(...Object.values(transform.outputs));
        for (const pcollection of restricted)
          (proto.pcollections[pcollection] as runnerApi.PCollection).coderId = "sized";
      }
    }
    const port = (pcollectionId: string): { payload: Uint8Array; coder: Coder<unknown> } => {
      const { coderId, windowingStrategyId } = proto.pcollections[pcollectionId] as runnerApi.PCollection;
      const windowCoderId = proto.windowingStrategies[windowingStrategyId]?.windowCoderId ?? "";
      const windowCoder = context.getCoder<Window>(windowCoderId);
      const windowed = new FullWindowedValueCoder(context.getCoder<unknown>(coderId), windowCoder);
      const port = { apiServiceDescriptor: { url: this.address }, coderId: context.getCoderId(windowed) };
      const payload = fnApi.RemoteGrpcPort.toBinary(fnApi.RemoteGrpcPort.create(port));
      return { payload, coder: windowed };
    };
    const source = port(sourceOutput);
    (proto.transforms[SOURCE_ID] as runnerApi.PTransform).spec = { urn: SOURCE_URN, payload: source.payload };
    const sinks = new Map<string, Sink>();
    for (const pcollectionId of Object.keys(proto.pcollections)) {
      if (consumed.has(pcollectionId)) continue;
      const { payload, coder } = port(pcollectionId);
      const sinkId = sinks.size ? `${SINK_ID}${sinks.size}` : SINK_ID;
      sinks.set(sinkId, { tag: tags.get(pcollectionId) ?? "", coder });
      proto.transforms[sinkId] = runnerApi.PTransform.create({
        spec: { urn: SINK_URN, payload },
        inputs: { in: pcollectionId },
      });
    }
    this.descriptors.set(id, { proto, input: source.coder, sinks, timerFamilies });
  }

  /** Gives a step of a descriptor another output, as a faulty launcher would. */
  addOutput(descriptorId: string, uniqueName: string, tag: string): void {
    const { proto } = this.descriptors.get(descriptorId) as Described;
    const { outputs } = proto.transforms[this.transformId(descriptorId, uniqueName)] as runnerApi.PTransform;
    outputs[tag] = Object.values(outputs)[0] as string;
  }

  /** Sends an instruction. */
  instruct(request: fnApi.InstructionRequest["request"], id = `i${this.nextId++}`): RunningBundle {
    const response = new Promise<fnApi.InstructionResponse>((resolve) => this.answers.set(id, resolve));
    this.control?.write({ instructionId: id, request });
    return { id, response };
  }

  /** A new bundle id, for data that is sent before its bundle starts. */
  newBundleId(): string {
    const id = `b${this.nextId++}`;
    this.outputs.set(id, []);
    return id;
  }

  /** Starts a bundle. */
  startBundle(descriptorId: string, options: { id?: string; cacheToken?: string } = {}): RunningBundle {
    const id = options.id ?? this.newBundleId();
    this.bundles.set(id, descriptorId);
    const cacheTokens = options.cacheToken
      ? [{ type: { oneofKind: "userState" as const, userState: {} }, token: Buffer.from(options.cacheToken) }]
      : [];
    const processBundle = fnApi.ProcessBundleRequest.create({ processBundleDescriptorId: descriptorId, cacheTokens });
    return this.instruct({ oneofKind: "processBundle", processBundle }, id);
  }

  /** Sends elements of a bundle in one message; `last` ends them. Elements may be {@link Timed}. */
  async send(descriptorId: string, bundleId: string, values: readonly unknown[], last = false): Promise<void> {
    await this.until(() => this.data !== undefined, "the data stream");
    const { input } = this.descriptors.get(descriptorId) as Described;
    const writer = new protobufjs.Writer();
    for (const element of values) {
      const { value, timestampMs } = element instanceof Timed ? element : new Timed(element, 0);
      const timestamp = Long.fromNumber(timestampMs);
      const windowed = { value, windows: [new GlobalWindow()], pane: NO_FIRING, timestamp };
      input.encode(windowed, writer, Context.needsDelimiters);
    }
    const element = { instructionId: bundleId, transformId: SOURCE_ID, data: writer.finish(), isLast: last };
    this.data?.write({ data: [element], timers: [] });
  }

  /** Sends encoded timers that fire in a bundle; `isLast` ends the family's timers. `transformId` as in the descriptor. */
  async sendTimers(
    bundleId: string,
    transformId: string,
    timerFamilyId: string,
    timers: Uint8Array,
    isLast = false,
  ): Promise<void> {
    await this.until(() => this.data !== undefined, "the data stream");
    this.data?.write({
      data: [],
      timers: [{ instructionId: bundleId, transformId, timerFamilyId, timers, isLast }],
    });
  }

  /** Fires timers of a descriptor with one step that has them, in one message for each. */
  async fire(descriptorId: string, bundleId: string, timers: readonly FiringTimer[]): Promise<void> {
    const { timerFamilies } = this.descriptors.get(descriptorId) as Described;
    for (const { family, key, tag = "", window = new GlobalWindow(), fireMs, holdMs = fireMs } of timers) {
      const { transformId, coder } = timerFamilies.find((f) => f.family === family) as TimerFamily;
      const writer = new protobufjs.Writer();
      const [fireTimestamp, holdTimestamp] = [Long.fromNumber(fireMs), Long.fromNumber(holdMs)];
      const pane = NO_FIRING;
      coder.encode({ key, tag, windows: [window], clear: false, fireTimestamp, holdTimestamp, pane }, writer);
      await this.sendTimers(bundleId, transformId, family, writer.finish());
    }
  }

  /** Ends the elements and timers of a bundle. */
  async endInput(descriptorId: string, bundleId: string): Promise<void> {
    await this.send(descriptorId, bundleId, [], true);
    for (const { transformId, family } of this.descriptors.get(descriptorId)?.timerFamilies ?? []) {
      await this.sendTimers(bundleId, transformId, family, new Uint8Array(), true);
    }
  }

  /** The timers that a bundle has set or cleared, in order. */
  timersSet(descriptorId: string, bundleId: string): SetTimer[] {
    const { timerFamilies } = this.descriptors.get(descriptorId) as Described;
    return this.timers
      .filter(({ instructionId }) => instructionId === bundleId)
      .flatMap(({ timerFamilyId: family, timers }) => {
        const { coder } = timerFamilies.find((f) => f.family === family) as TimerFamily;
        const reader = new protobufjs.Reader(timers);
        const set: SetTimer[] = [];
        while (reader.pos < reader.len) {
          const timer = coder.decode(reader);
          const common = { family, key: timer.key, tag: timer.tag, window: timer.windows.map(windowText).join() };
          if (timer.clear) set.push(common);
          else {
            const [fireMs, holdMs] = [timer.fireTimestamp.toNumber(), timer.holdTimestamp.toNumber()];
            set.push({ ...common, fireMs, holdMs });
          }
        }
        return set;
      });
  }

  /** The id of the transform with this name in a descriptor. */
  transformId(descriptorId: string, uniqueName: string): string {
    const { proto } = this.descriptors.get(descriptorId) as Described;
    const found = Object.entries(proto.transforms).find(([, transform]) => transform.uniqueName === uniqueName);
    if (!found) throw new Error(`${descriptorId} has no transform ${uniqueName}`);
    return found[0];
  }

  /** Runs a bundle with one message for each list of elements, and then one for each timer. */
  async run(
    descriptorId: string,
    messages: readonly (readonly unknown[])[],
    options: { cacheToken?: string; timers?: readonly FiringTimer[] } = {},
  ): Promise<{ id: string; response: fnApi.InstructionResponse; output: unknown[] }> {
    const bundle = this.startBundle(descriptorId, options);
    for (const values of messages) await this.send(descriptorId, bundle.id, values);
    await this.fire(descriptorId, bundle.id, options.timers ?? []);
    await this.endInput(descriptorId, bundle.id);
    const response = await bundle.response;
    // The output and the response come over different streams.
    if (!response.error) await this.until(() => this.ended(bundle.id), "the end of the output");
    return { id: bundle.id, response, output: this.output(bundle.id) };
  }

  private ended(bundleId: string): boolean {
    const { sinks, timerFamilies } = this.descriptors.get(this.bundles.get(bundleId) ?? "") as Described;
    const ends = this.outputs.get(bundleId)?.filter(({ isLast }) => isLast) ?? [];
    const timerEnds = this.timers.filter(({ instructionId, isLast }) => isLast && instructionId === bundleId);
    return ends.length === sinks.size && timerEnds.length === timerFamilies.length;
  }

  /** What a bundle has sent so far, with times, windows and panes. */
  emitted(bundleId: string): Emitted[] {
    const { sinks } = this.descriptors.get(this.bundles.get(bundleId) ?? "") as Described;
    const out: Emitted[] = [];
    for (const { transformId, data } of this.outputs.get(bundleId) ?? []) {
      const { tag, coder } = sinks.get(transformId) as Sink;
      const reader = new protobufjs.Reader(data);
      while (reader.pos < reader.len) {
        const { value, timestamp, windows, pane } = coder.decode(
          reader,
          Context.needsDelimiters,
        ) as WindowedValue<unknown>;
        const [paneByte = -1] = encode(PaneInfoCoder.INSTANCE, [pane]);
        for (const window of windows) {
          out.push({ tag, value, timestampMs: timestamp.toNumber(), window: windowText(window), pane: paneByte });
        }
      }
    }
    return out;
  }

  /** The output of a bundle so far. */
  output(bundleId: string): unknown[] {
    return this.emitted(bundleId).map(({ value }) => value);
  }

  /** The output of a bundle so far, encoded: one item for each message. */
  outputBytes(bundleId: string): readonly Uint8Array[] {
    return (this.outputs.get(bundleId) ?? []).map(({ data }) => data);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    await waitUntil(what, condition, { intervalMs: 5 });
  }

  /** Answers the requests of user state that were left unanswered. */
  answerHangingState(): void {
    this.stateHangs = false;
    const { hanging } = this;
    this.hanging = [];
    for (const answer of hanging) answer();
  }

  /** Number of messages with data that wait in this process because the worker does not take them. */
  get unsentMessages(): number {
    return this.data?.writableLength ?? 0;
  }
  /** Takes no data from the worker until {@link resumeData}. */
  pauseData(): void {
    this.data?.pause();
  }
  resumeData(): void {
    this.data?.resume();
  }

  endControl(): void {
    this.control?.end();
  }
  breakControl(): void {
    this.control?.emit("error", broken("control"));
  }
  endData(): void {
    this.data?.end();
  }
  breakData(): void {
    this.data?.emit("error", broken("data"));
  }
  breakState(): void {
    this.state?.emit("error", broken("state"));
  }

  /** Ends the streams gracefully: a worker without the patches survives this, too. */
  close(): void {
    for (const stream of [this.control, this.data, this.state]) stream?.end();
    setTimeout(() => {
      this.workerInstance?.controlClient.close();
      for (const { dataClient } of this.workerInstance?.dataChannels.values() ?? []) dataClient.close();
      this.server.forceShutdown();
    }, 100);
    closed(this);
  }
}

const active: MiniRunner[] = [];
let lastClosed: MiniRunner | undefined;
const methods = ["debug", "warn", "error"] as const;
let originals: Pick<Console, (typeof methods)[number]> | undefined;

/** Collects console output in the runner, from its start until a moment after its end. */
function keepConsoleQuiet(runner: MiniRunner): void {
  active.push(runner);
  originals ??= { debug: console.debug, warn: console.warn, error: console.error };
  for (const method of methods) {
    console[method] = (...args: unknown[]) => void (active.at(-1) ?? lastClosed)?.logged.push(args.join(" "));
  }
}

function closed(runner: MiniRunner): void {
  active.splice(active.indexOf(runner), 1);
  lastClosed = runner;
  setTimeout(() => {
    if (!active.length) Object.assign(console, originals);
  }, 200).unref();
}

function broken(stream: string): Partial<grpc.StatusObject> {
  return { code: grpc.status.UNAVAILABLE, details: `the runner broke the ${stream} stream` };
}

function coder(urn: string, componentCoderIds: string[] = []): runnerApi.Coder {
  return { spec: { urn, payload: new Uint8Array() }, componentCoderIds };
}

/** The source for data that the runner sends. */
function runnerSource<I>(inputCoder: Coder<I>) {
  return withName(SOURCE_ID, (_root: Root, pipeline: Pipeline, proto: runnerApi.PTransform): PCollection<I> => {
    proto.spec = { urn: SOURCE_URN, payload: new Uint8Array() };
    return pipeline.createPCollectionInternal(inputCoder);
  });
}

/** A collection for a side input. */
function sideSource<T>(name: string, elementCoder: Coder<T>) {
  return withName(name, (_root: Root, pipeline: Pipeline, proto: runnerApi.PTransform): PCollection<T> => {
    proto.spec = { urn: SIDE_URN, payload: new Uint8Array() };
    return pipeline.createPCollectionInternal(elementCoder);
  });
}
