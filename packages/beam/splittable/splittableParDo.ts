import "../sdk";
import protobufjs from "protobufjs";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { DelayedBundleApplication } from "apache-beam/proto/beam_fn_api";
import type { Coder } from "apache-beam/coders/coders";
import { Context } from "apache-beam/coders/coders";
import { BytesCoder, FullWindowedValueCoder } from "apache-beam/coders/required_coders";
import type { PCollection } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import { parDo } from "apache-beam/transforms/pardo";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import type { KV, WindowedValue } from "apache-beam/values";
import {
  NonPromise,
  registerOperatorConstructor,
  type OperatorContext,
  type ProcessResult,
  type Receiver,
} from "apache-beam/worker/operators";
import { evenlySpreadKeys } from "../flink/keyGroups";
import { checkSerializable } from "../dofn/checkSerializable";
import { deserializeDoFn, serializeDoFn } from "../dofn/serialize";
import { toTimestamp as toEventTime } from "../dofn/timestamps";
import type { ExtendedOperator, Finalizer } from "../patches/operators";

const SDF_URN = "beam:dofn:js_splittable:v1";
const PAIR_URN = "beam:transform:sdf_pair_with_restriction:v1";
const SPLIT_URN = "beam:transform:sdf_split_and_size_restrictions:v1";
const PROCESS_URN = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
const TRUNCATE_URN = "beam:transform:sdf_truncate_sized_restrictions:v1";
const SPLITTABLE_REQUIREMENT_URN = "beam:requirement:pardo:splittable_dofn:v1";
const FINALIZATION_REQUIREMENT_URN = "beam:requirement:pardo:finalization:v1";

/** The part of a restriction that is left when `process` checkpoints itself. */
export interface Residual<R> {
  readonly restriction: R;
  /** The watermark of the output, epoch ms; never decreases. Later output with an earlier event time is late data. */
  readonly watermarkMs: number;
  /** Resume delay: the shortest time until the runner processes the residual; ms, 0 or more. */
  readonly resumeDelayMs: number;
}

/** What one call of `process` can do. */
export interface ProcessContext<O> {
  /** Emits an element with its event time (epoch ms); one that is not a number is an error. Await the result when it is a promise. */
  emit(value: O, timestampMs: number): void | Promise<void>;
  /**
   * `commit` is called when the runner reports that the bundle is durable; `abort` when the bundle failed, or its job
   * attempt ended first. Exactly one of them is called, once.
   */
  onFinalize(finalizer: Finalizer): void;
  /** Set when the bundle has failed: throw it soon. */
  readonly aborted: Error | undefined;
}

/**
 * A source as a splittable DoFn that checkpoints itself: each `process` reads a part of the restriction and
 * returns the residual. Instances are serialized: plain fields only, and the class is an export of a module that calls
 * `registerModule`.
 *
 * @typeParam R restriction; must survive JSON
 */
export interface SplittableDoFn<O, R> {
  /** Whether its restrictions end, as those of a file do. Must be the same in the launcher and in workers. @default false */
  readonly isBounded?: boolean;
  /**
   * The initial restrictions, 128 at most; each is read independently of the others. Parallel subtasks get equally many of
   * them. Their number is part of the state of a job: a job that resumes keeps the restrictions that it has.
   */
  restrictions(): R[];
  /** Reads until it checkpoints itself; returns the residual, or undefined when the restriction is done. */
  process(restriction: R, context: ProcessContext<O>): Promise<Residual<R> | undefined>;
  /**
   * What is still to be read of a restriction when the job is drained; undefined: nothing. Default: all of a bounded
   * restriction, and nothing of an unbounded one, whose unread messages stay in the source.
   */
  truncate?(restriction: R): R | undefined;
}

const encodeJson = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decodeJson = <R>(bytes: Uint8Array): R => JSON.parse(new TextDecoder().decode(bytes)) as R;

/**
 * Applies a splittable DoFn to an impulse. The elements of the input are ignored. The output is unbounded unless the DoFn is bounded.
 * @param outputCoder coder of the emitted elements
 */
export function splittableParDo<O, R>(
  name: string,
  doFn: SplittableDoFn<O, R>,
  outputCoder: Coder<O>,
): PTransform<PCollection<Uint8Array>, PCollection<O>> {
  function expandInternal(_input: PCollection<Uint8Array>, pipeline: Pipeline, proto: runnerApi.PTransform) {
    checkSerializable(name, doFn);
    proto.spec = runnerApi.FunctionSpec.create({
      urn: parDo.urn,
      payload: runnerApi.ParDoPayload.toBinary(
        runnerApi.ParDoPayload.create({
          doFn: runnerApi.FunctionSpec.create({ urn: SDF_URN, payload: serializeDoFn(doFn) }),
          restrictionCoderId: pipeline.context.getCoderId(new BytesCoder()),
          requestsFinalization: true,
        }),
      ),
    });
    const { requirements } = pipeline.getProto();
    for (const urn of [SPLITTABLE_REQUIREMENT_URN, FINALIZATION_REQUIREMENT_URN]) {
      if (!requirements.includes(urn)) requirements.push(urn);
    }
    return pipeline.createPCollectionInternal(outputCoder, undefined, isBounded(doFn));
  }
  return withName(name, expandInternal);
}

type AnyDoFn = SplittableDoFn<unknown, unknown>;

function isBounded(doFn: Pick<AnyDoFn, "isBounded">): runnerApi.IsBounded_Enum {
  return doFn.isBounded ? runnerApi.IsBounded_Enum.BOUNDED : runnerApi.IsBounded_Enum.UNBOUNDED;
}

/** Element with its encoded restriction. */
type Restricted = KV<unknown, Uint8Array>;

abstract class SdfOperator implements ExtendedOperator {
  protected readonly doFn: AnyDoFn;
  protected readonly receiver: Receiver;

  constructor(
    readonly transformId: string,
    transform: runnerApi.PTransform,
    context: OperatorContext,
  ) {
    const spec = runnerApi.ParDoPayload.fromBinary(transform.spec?.payload as Uint8Array);
    if (spec.doFn?.urn !== SDF_URN) throw new Error(`${transformId}: unknown splittable DoFn ${spec.doFn?.urn}`);
    this.doFn = deserializeDoFn<AnyDoFn>(spec.doFn.payload);
    this.receiver = context.getReceiver(Object.values(transform.outputs)[0]);
  }
  startBundle(): Promise<void> {
    return Promise.resolve();
  }
  abstract process(element: WindowedValue<unknown>): ProcessResult;
  finishBundle(): Promise<void> {
    return Promise.resolve();
  }
}

/** Pairs the element with a placeholder; SplitOperator replaces it by the restrictions. */
class PairOperator extends SdfOperator {
  process(element: WindowedValue<unknown>): ProcessResult {
    return this.receiver.receive({ ...element, value: { key: element.value, value: encodeJson(null) } });
  }
}

/**
 * Emits each restriction, with a size of 1. Flink assigns restrictions to subtasks by the element, so each of several
 * restrictions gets an element of its own, and all subtasks get equally many.
 */
class SplitOperator extends SdfOperator {
  process(element: WindowedValue<unknown>): ProcessResult {
    const { key } = element.value as Restricted;
    const restrictions = this.doFn.restrictions();
    const keys = restrictions.length > 1 ? evenlySpreadKeys(restrictions.length) : [key];
    const results = restrictions
      .map((r, i) =>
        this.receiver.receive({ ...element, value: { key: { key: keys[i], value: encodeJson(r) }, value: 1 } }),
      )
      .filter((result) => result !== NonPromise);
    return results.length ? Promise.all(results).then(() => undefined) : NonPromise;
  }
}

function toTimestamp(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round(ms - seconds * 1000) * 1_000_000 };
}

/**
 * Runs `process` for each restriction. The calls start immediately and are awaited at the end of the bundle, so that
 * several restrictions are read concurrently.
 */
class ProcessOperator extends SdfOperator {
  readonly refusesSplits = true;
  private readonly inputId: string;
  private readonly outputIds: readonly string[];
  private readonly inputCoder: FullWindowedValueCoder<unknown, never>;
  private residuals: DelayedBundleApplication[] = [];
  private finalizers: Finalizer[] = [];
  private running: Promise<void>[] = [];
  private aborted: Error | undefined;

  constructor(transformId: string, transform: runnerApi.PTransform, context: OperatorContext) {
    super(transformId, transform, context);
    const { descriptor, pipelineContext } = context;
    const [inputId, pcollectionId] = Object.entries(transform.inputs)[0] as [string, string];
    const pcollection = descriptor.pcollections[pcollectionId] as runnerApi.PCollection;
    const windowing = descriptor.windowingStrategies[pcollection.windowingStrategyId] as runnerApi.WindowingStrategy;
    this.inputId = inputId;
    this.outputIds = Object.keys(transform.outputs);
    this.inputCoder = new FullWindowedValueCoder(
      pipelineContext.getCoder(pcollection.coderId),
      pipelineContext.getCoder(windowing.windowCoderId),
    );
  }

  override startBundle(): Promise<void> {
    this.residuals = [];
    this.finalizers = [];
    this.running = [];
    this.aborted = undefined;
    return Promise.resolve();
  }

  private encodeResidual(element: WindowedValue<unknown>, residual: Residual<unknown>): DelayedBundleApplication {
    const { key: restricted, value: size } = element.value as KV<Restricted, number>;
    const value = { key: { key: restricted.key, value: encodeJson(residual.restriction) }, value: size };
    const writer = new protobufjs.Writer();
    this.inputCoder.encode({ ...element, value }, writer, Context.needsDelimiters);
    return {
      application: {
        transformId: this.transformId,
        inputId: this.inputId,
        element: writer.finish(),
        outputWatermarks: Object.fromEntries(this.outputIds.map((id) => [id, toTimestamp(residual.watermarkMs)])),
        isBounded: isBounded(this.doFn),
      },
      requestedTimeDelay: toTimestamp(residual.resumeDelayMs),
    };
  }

  private async processRestriction(element: WindowedValue<unknown>): Promise<void> {
    const { key: restricted } = element.value as KV<Restricted, number>;
    const { windows, pane } = element;
    const { receiver, finalizers } = this;
    const aborted = (): Error | undefined => this.aborted;
    const residual = await this.doFn.process(decodeJson(restricted.value), {
      emit: (value, timestampMs) => {
        const result = receiver.receive({
          value,
          windows,
          pane,
          timestamp: toEventTime(timestampMs, `${this.transformId}: the time of an element`),
        });
        return result === NonPromise ? undefined : result;
      },
      onFinalize: (finalizer) => void finalizers.push(finalizer),
      get aborted() {
        return aborted();
      },
    });
    if (residual) this.residuals.push(this.encodeResidual(element, residual));
  }

  process(element: WindowedValue<unknown>): ProcessResult {
    const running = this.processRestriction(element);
    running.catch((error: unknown) => (this.aborted ??= error as Error)); // stops the others; finishBundle reports it
    this.running.push(running);
    return NonPromise;
  }

  override async finishBundle(): Promise<void> {
    await Promise.all(this.running); // rejects at the first error; `settled` waits for the others
    this.running = [];
  }

  abort(error: Error): void {
    this.aborted = error;
  }
  settled(): Promise<unknown> {
    return Promise.allSettled(this.running);
  }
  takeResidualRoots(): DelayedBundleApplication[] {
    const { residuals } = this;
    this.residuals = [];
    return residuals;
  }
  takeFinalizers(): Finalizer[] {
    const { finalizers } = this;
    this.finalizers = [];
    return finalizers;
  }
}

/** Emits what is still to be read of each restriction in a drain. */
class TruncateOperator extends SdfOperator {
  process(element: WindowedValue<unknown>): ProcessResult {
    const { key: restricted, value: size } = element.value as KV<Restricted, number>;
    if (!this.doFn.truncate) return this.doFn.isBounded ? this.receiver.receive(element) : NonPromise;
    const left = this.doFn.truncate(decodeJson(restricted.value));
    if (left === undefined) return NonPromise;
    return this.receiver.receive({
      ...element,
      value: { key: { key: restricted.key, value: encodeJson(left) }, value: size },
    });
  }
}

registerOperatorConstructor(PAIR_URN, (id, t, c) => new PairOperator(id, t, c));
registerOperatorConstructor(SPLIT_URN, (id, t, c) => new SplitOperator(id, t, c));
registerOperatorConstructor(PROCESS_URN, (id, t, c) => new ProcessOperator(id, t, c));
registerOperatorConstructor(TRUNCATE_URN, (id, t, c) => new TruncateOperator(id, t, c));
