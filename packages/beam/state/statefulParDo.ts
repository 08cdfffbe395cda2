import "../sdk";
import { getHeapStatistics } from "node:v8";
import protobufjs from "protobufjs";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { Context, type Coder } from "apache-beam/coders/coders";
import { KVCoder } from "apache-beam/coders/required_coders";
import { deserializeFn, serializeFn } from "apache-beam/internal/serialize";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PCollection } from "apache-beam";
import { parDo } from "apache-beam/transforms/pardo";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import type { KV, PaneInfo, Instant, Window, WindowedValue } from "apache-beam/values";
import { NonPromise, type OperatorContext, type ProcessResult, type Receiver } from "apache-beam/worker/operators";
import type { ExtendedOperator } from "../patches/operators";
import { userStateCacheToken } from "../patches/control";
import { registerParDoOperator } from "../parDoOperators";
import { LruCache } from "./cache";
import type { Cell, StateDeclaration } from "./cells";
import { StateClient } from "./stateChannel";
import { textWeight } from "./weighedMap";

const STATEFUL_DOFN_URN = "beam:dofn:js_stateful:v1";
const BAG_PROTOCOL_URN = "beam:user_state:bag:v1";
const STATEFUL_REQUIREMENT_URN = "beam:requirement:pardo:stateful:v1";
/** Maximum number of elements that wait for state; their reads are in flight together. */
const MAX_QUEUE = 5000;
const MIB = 1024 * 1024;
const MAX_DEFAULT_CACHE_MIB = 512;
const CACHE_BUDGET_BYTES =
  Number(process.env["BEAM_STATE_CACHE_MIB"] ?? defaultCacheMib(getHeapStatistics().heap_size_limit)) * MIB;

/** A quarter of the heap, so that the cache of a worker with little memory leaves room for a bundle; MiB. */
export function defaultCacheMib(heapLimitBytes: number): number {
  return Math.min(MAX_DEFAULT_CACHE_MIB, Math.floor(heapLimitBytes / MIB / 4));
}

/** The states of a DoFn by name. */
export type StateDeclarations = Readonly<Record<string, StateDeclaration<Cell>>>;
/** The cells that belong to a set of declarations. */
export type CellsOf<D> = { readonly [K in keyof D]: D[K] extends StateDeclaration<infer C> ? C : never };

/**
 * A DoFn with state for each key and window. Instances are serialized: plain fields only, and the class is an export of a
 * module that calls `registerModule`.
 *
 * @typeParam V value of the input, which is `KV<string, V>`
 * @typeParam O output
 */
export interface StatefulDoFn<V, O, D extends StateDeclarations> {
  /** Declares the states; must return the same in the launcher and in every worker. */
  states(): D;
  /** Processes an element. The cells of its key are loaded. The outputs have the timestamp of the element. */
  process(key: string, value: V, cells: CellsOf<D>): Iterable<O> | void;
  /** Called once for each key of the bundle, after its elements and before its state is saved. May emit. */
  finishKey?(key: string, cells: CellsOf<D>): Iterable<O> | void;
}

type AnyDoFn = StatefulDoFn<unknown, unknown, StateDeclarations>;

/**
 * Applies a stateful DoFn to a keyed collection.
 *
 * State is read once for each key of a bundle, with all reads in flight together. It is saved at the end of the bundle,
 * and the bundle succeeds only after the runner has confirmed the writes. Where the runner offers cache tokens, cells stay
 * in the worker between bundles (environment variable `BEAM_STATE_CACHE_MIB`, MiB; default a quarter of the heap limit, at most 512).
 *
 * @param coders coders of the input (the runner partitions it by the encoded key) and of the output
 * @throws Error when the input does not have a KV coder
 */
export function statefulParDo<V, O, D extends StateDeclarations>(
  name: string,
  doFn: StatefulDoFn<V, O, D>,
  coders: { input: KVCoder<string, V>; output: Coder<O> },
): PTransform<PCollection<KV<string, V>>, PCollection<O>> {
  function expandInternal(input: PCollection<KV<string, V>>, pipeline: Pipeline, proto: runnerApi.PTransform) {
    const components = pipeline.getProto().components as runnerApi.Components;
    const inputCoderId = components.pcollections[input.getId()]?.coderId ?? "";
    if (components.coders[inputCoderId]?.spec?.urn !== KVCoder.URN) {
      throw new Error(`${name}: the input of a stateful ParDo must have a KV coder; apply withKvCoder(...) first`);
    }
    const stateSpecs: Record<string, runnerApi.StateSpec> = {};
    for (const [stateName, { coder }] of Object.entries(doFn.states())) {
      stateSpecs[stateName] = {
        spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId: pipeline.context.getCoderId(coder) } },
        protocol: { urn: BAG_PROTOCOL_URN, payload: new Uint8Array() },
      };
    }
    proto.spec = runnerApi.FunctionSpec.create({
      urn: parDo.urn,
      payload: runnerApi.ParDoPayload.toBinary(
        runnerApi.ParDoPayload.create({
          doFn: runnerApi.FunctionSpec.create({ urn: STATEFUL_DOFN_URN, payload: serializeFn({ doFn }) }),
          stateSpecs,
        }),
      ),
    });
    const { requirements } = pipeline.getProto();
    if (!requirements.includes(STATEFUL_REQUIREMENT_URN)) requirements.push(STATEFUL_REQUIREMENT_URN);
    return pipeline.createPCollectionInternal(coders.output);
  }
  return withName(name, expandInternal);
}

/** Bytes of an entry besides its texts and cells: objects, arrays of bytes, and the record in the cache. */
const ENTRY_OVERHEAD = 1000;

/** The cells of one key and window. */
class Entry {
  /** Set until the cells are loaded. */
  loading: Promise<unknown> | undefined;
  constructor(
    readonly key: string,
    readonly window: Window,
    readonly cells: Readonly<Record<string, Cell>>,
    readonly stateKeys: Readonly<Record<string, StateKey>>,
  ) {}
  get weight(): number {
    // The key is in memory three times: as text, encoded, and in the key of the cache.
    let sum = ENTRY_OVERHEAD + 3 * textWeight(this.key);
    for (const cell of Object.values(this.cells)) sum += cell.weight;
    return sum;
  }
}

const cache = new LruCache<Entry>(CACHE_BUDGET_BYTES);

/** Counters of this process: state requests sent; entries, MiB, hits and misses of the cache. */
export function stateStats(): { requests: number; cached: number; cachedMiB: number; hits: number; misses: number } {
  return {
    requests: StateClient.requests,
    cached: cache.size,
    cachedMiB: Math.round(cache.weight / MIB),
    hits: cache.hits,
    misses: cache.misses,
  };
}

interface QueuedElement {
  readonly element: WindowedValue<KV<string, unknown>>;
  readonly window: Window;
  readonly entry: Entry;
}

class StatefulParDoOperator implements ExtendedOperator {
  readonly refusesSplits = true;
  private readonly doFn: AnyDoFn;
  private readonly declarations: StateDeclarations;
  private readonly keyCoder: Coder<string>;
  private readonly windowCoder: Coder<Window>;
  private queue: QueuedElement[] = [];
  /** The entries of this bundle, by window and key. */
  private entries = new Map<string, Entry>();
  private client: StateClient | undefined;
  private cachePrefix: string | undefined;
  private lastPane: PaneInfo | undefined;
  private lastTimestamp: Instant | undefined;

  constructor(
    readonly transformId: string,
    transform: runnerApi.PTransform,
    spec: runnerApi.ParDoPayload,
    private readonly context: OperatorContext,
    private readonly receiver: Receiver,
  ) {
    this.doFn = (deserializeFn(spec.doFn?.payload as Uint8Array) as { doFn: AnyDoFn }).doFn;
    this.declarations = this.doFn.states();
    const { descriptor, pipelineContext } = context;
    const inputId = Object.values(transform.inputs)[0] as string;
    const pcollection = descriptor.pcollections[inputId] as runnerApi.PCollection;
    // The coders of the bundle descriptor, including length prefixes that the runner has added.
    const kv = pipelineContext.getCoder(pcollection.coderId);
    if (!(kv instanceof KVCoder)) throw new Error(`${transformId}: the input of a stateful ParDo must have a KV coder`);
    this.keyCoder = (kv as KVCoder<string, unknown>).keyCoder;
    const windowing = descriptor.windowingStrategies[pcollection.windowingStrategyId] as runnerApi.WindowingStrategy;
    this.windowCoder = pipelineContext.getCoder(windowing.windowCoderId);
  }

  startBundle(): Promise<void> {
    this.queue = [];
    this.entries = new Map();
    this.client = undefined;
    const token = userStateCacheToken(this.context);
    this.cachePrefix = token === undefined ? undefined : `${token}|${this.transformId}|`;
    return Promise.resolve();
  }

  private encode<T>(coder: Coder<T>, value: T): Uint8Array {
    const writer = new protobufjs.Writer();
    coder.encode(value, writer, Context.needsDelimiters);
    // A copy, because the entry keeps the bytes: the writer's are a part of a pool of 8 KiB, which would stay in memory as well.
    return new Uint8Array(writer.finish());
  }

  private entryOf(window: Window, key: string): Entry {
    const windowBytes = this.encode(this.windowCoder, window);
    const id = windowBytes.length ? `${Buffer.from(windowBytes).toString("base64")}|${key}` : key;
    const known = this.entries.get(id);
    if (known) return known;
    const cached = this.cachePrefix === undefined ? undefined : cache.take(this.cachePrefix + id);
    const entry = cached ?? this.loadEntry(window, windowBytes, key);
    this.entries.set(id, entry);
    return entry;
  }

  private loadEntry(window: Window, windowBytes: Uint8Array, key: string): Entry {
    const keyBytes = this.encode(this.keyCoder, key);
    const cells: Record<string, Cell> = {};
    const stateKeys: Record<string, StateKey> = {};
    const reads: Promise<void>[] = [];
    this.client ??= StateClient.forBundle(this.context);
    for (const [name, declaration] of Object.entries(this.declarations)) {
      const cell = declaration.createCell();
      const stateKey: StateKey = {
        type: {
          oneofKind: "bagUserState",
          bagUserState: { transformId: this.transformId, userStateId: name, window: windowBytes, key: keyBytes },
        },
      };
      cells[name] = cell;
      stateKeys[name] = stateKey;
      reads.push(this.client.get(stateKey).then((bytes) => cell.load(bytes)));
    }
    const entry = new Entry(key, window, cells, stateKeys);
    entry.loading = Promise.all(reads);
    entry.loading.catch(() => {}); // drain() reports it
    return entry;
  }

  process(input: WindowedValue<unknown>): ProcessResult {
    const element = input as WindowedValue<KV<string, unknown>>;
    for (const window of element.windows) {
      this.queue.push({ element, window, entry: this.entryOf(window, element.value.key) });
    }
    return this.queue.length >= MAX_QUEUE ? this.drain() : NonPromise;
  }

  private async emit(values: Iterable<unknown> | void, window: Window, timestamp: Instant, pane: PaneInfo) {
    if (!values) return;
    for (const value of values) {
      const result = this.receiver.receive({ value, windows: [window], timestamp, pane });
      if (result !== NonPromise) await result;
    }
  }

  private async drain(): Promise<void> {
    const { queue } = this;
    this.queue = [];
    for (const { element, window, entry } of queue) {
      if (entry.loading) {
        await entry.loading;
        entry.loading = undefined;
      }
      this.lastPane = element.pane;
      this.lastTimestamp = element.timestamp;
      const output = this.doFn.process(element.value.key, element.value.value, entry.cells);
      if (output) await this.emit(output, window, element.timestamp, element.pane);
    }
  }

  async finishBundle(): Promise<void> {
    await this.drain();
    if (this.doFn.finishKey) {
      for (const { key, cells, window } of this.entries.values()) {
        const output = this.doFn.finishKey(key, cells);
        await this.emit(output, window, this.lastTimestamp as Instant, this.lastPane as PaneInfo);
      }
    }
    const writes: Promise<void>[] = [];
    for (const { cells, stateKeys } of this.entries.values()) {
      for (const [name, cell] of Object.entries(cells)) {
        this.client ??= StateClient.forBundle(this.context);
        writes.push(...cell.save(this.client, stateKeys[name] as StateKey));
      }
    }
    await Promise.all(writes);
  }

  bundleEnded(succeeded: boolean): void {
    if (succeeded && this.cachePrefix !== undefined) {
      for (const [id, entry] of this.entries) cache.put(this.cachePrefix + id, entry);
    }
    this.entries = new Map();
    this.queue = [];
    this.client = undefined;
  }
}

registerParDoOperator(STATEFUL_DOFN_URN, (id, transform, spec, context, receiver) => {
  return new StatefulParDoOperator(id, transform, spec, context, receiver);
});
