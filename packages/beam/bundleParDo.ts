import "./sdk";
import Long from "long";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Coder } from "apache-beam/coders/coders";
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { deserializeFn, serializeFn } from "apache-beam/internal/serialize";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection } from "apache-beam";
import { parDo } from "apache-beam/transforms/pardo";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { GlobalWindow, type WindowedValue } from "apache-beam/values";
import { NonPromise, type ProcessResult, type Receiver } from "apache-beam/worker/operators";
import { registerParDoOperator } from "./parDoOperators";
import type { ExtendedOperator } from "./patches/operators";

const ASYNC_DOFN_URN = "beam:dofn:js_async:v1";

/**
 * An asynchronous DoFn that knows its bundles: it learns when a bundle starts, ends and fails, may return promises, and may
 * emit in `finishBundle`. An instance processes one bundle after another. Instances are serialized: plain fields only, and
 * the class is an export of a module that calls `registerModule`. Input and output are in the global window.
 */
export interface BundleDoFn<I, O> {
  /**
   * Whether `process` reads the values of a key with `for await`, page by page, when they do not fit into memory: the
   * iterable of the element is then an array or a `LargeIterable`. Otherwise it is always an array. @default false
   */
  readonly readsLargeIterables?: boolean;
  /** Called before the first element of each bundle. */
  startBundle?(): void;
  /**
   * Called for each element; the next call waits for the promise. A rejection fails the bundle.
   * @param emit emits an output with its event time, epoch ms (default: that of the input)
   */
  process(element: I, emit: Emit<O>): void | Promise<void>;
  /** Called after the last element. The bundle succeeds only when the promise resolves. */
  finishBundle?(emit: EmitTimestamped<O>): void | Promise<void>;
  /** Called when the bundle fails, also when another step fails it: cancel requests in flight. */
  bundleFailed?(error: Error): void;
}

/** Emits an output; `timestampMs` is its event time, epoch ms. */
export type Emit<O> = (value: O, timestampMs?: number) => void;
/** Emits an output with its event time, epoch ms. */
export type EmitTimestamped<O> = (value: O, timestampMs: number) => void;

/**
 * Applies a {@link BundleDoFn}. The output is in the global window.
 * @param name name of the step
 */
export function bundleParDo<I, O>(
  name: string,
  doFn: BundleDoFn<I, O>,
  outputCoder: Coder<O>,
): PTransform<PCollection<I>, PCollection<O>> {
  function expandInternal(_input: PCollection<I>, pipeline: Pipeline, proto: runnerApi.PTransform) {
    proto.spec = runnerApi.FunctionSpec.create({
      urn: parDo.urn,
      payload: runnerApi.ParDoPayload.toBinary(
        runnerApi.ParDoPayload.create({
          doFn: runnerApi.FunctionSpec.create({ urn: ASYNC_DOFN_URN, payload: serializeFn({ doFn }) }),
        }),
      ),
    });
    return pipeline.createPCollectionInternal(outputCoder);
  }
  return withName(name, expandInternal);
}

const GLOBAL_WINDOWS = [new GlobalWindow()];
const PANE = PaneInfoCoder.ONE_AND_ONLY_FIRING;

class BundleParDoOperator implements ExtendedOperator {
  /** Elements may be in flight when the runner requests a split. */
  readonly refusesSplits = true;
  readonly readsLargeIterables: boolean;
  private pending: Promise<void>[] = [];
  private current: WindowedValue<unknown> | undefined;

  constructor(
    readonly transformId: string,
    private readonly doFn: BundleDoFn<unknown, unknown>,
    private readonly receiver: Receiver,
  ) {
    this.readsLargeIterables = doFn.readsLargeIterables ?? false;
  }

  private send(value: unknown, timestamp: Long): void {
    const result = this.receiver.receive({ value, windows: GLOBAL_WINDOWS, pane: PANE, timestamp });
    if (result !== NonPromise) this.pending.push(result);
  }

  private readonly emit: Emit<unknown> = (value, timestampMs) => {
    const timestamp = timestampMs === undefined ? this.current?.timestamp : Long.fromNumber(timestampMs);
    if (timestamp === undefined)
      throw new Error(`${this.transformId}: emit() after process() has returned needs a timestamp`);
    this.send(value, timestamp);
  };

  private takePending(): ProcessResult {
    if (!this.pending.length) return NonPromise;
    const { pending } = this;
    this.pending = [];
    return Promise.all(pending).then(() => undefined);
  }

  startBundle(): Promise<void> {
    this.pending = [];
    this.doFn.startBundle?.();
    return Promise.resolve();
  }

  process(element: WindowedValue<unknown>): ProcessResult {
    this.current = element;
    const result = this.doFn.process(element.value, this.emit);
    if (!result) return this.takePending();
    return result.then(() => this.takePending() ?? undefined);
  }

  async finishBundle(): Promise<void> {
    this.current = undefined;
    const emit: EmitTimestamped<unknown> = (value, timestampMs) => this.send(value, Long.fromNumber(timestampMs));
    await this.doFn.finishBundle?.(emit);
    await this.takePending();
  }

  abort(error: Error): void {
    this.doFn.bundleFailed?.(error);
  }
}

registerParDoOperator(ASYNC_DOFN_URN, (id, _transform, spec, _context, receiver) => {
  const { doFn } = deserializeFn(spec.doFn?.payload as Uint8Array) as { doFn: BundleDoFn<unknown, unknown> };
  return new BundleParDoOperator(id, doFn, receiver);
});
