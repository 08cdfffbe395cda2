import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import type { Coder } from "apache-beam/coders/coders";
import type { KVCoder } from "apache-beam/coders/required_coders";
import type { Window } from "apache-beam/values";
import type { OperatorContext } from "apache-beam/worker/operators";
import { decodeAll } from "../state/cells";
import { encodeNested } from "../state/keyedState";
import { StateClient } from "../state/stateChannel";
import { sideInputWindowOf } from "./sideInputWindows";
import type { View, ViewDeclarations } from "./views";

/** A side input of a step. */
interface Source {
  readonly name: string;
  /** Id in the proto. */
  readonly id: string;
  readonly view: View<unknown, unknown>;
  readonly elementCoder: Coder<unknown>;
  readonly windowCoder: Coder<Window>;
  readonly windowFn: runnerApi.FunctionSpec;
}

/** The input of a step that has this side input. */
export const sideInputId = (name: string): string => `side.${name}`;

/** The side inputs of one step, while it processes bundles. Each bundle reads them anew. */
export class SideInputs {
  private readonly sources: readonly Source[];
  private client: StateClient | undefined;
  /** What the context has as `sideInputs`, by the encoded window of the main input. */
  private byWindow = new Map<string, Readonly<Record<string, unknown>>>();
  private readonly mainWindowCoder: Coder<Window>;

  constructor(
    private readonly transformId: string,
    transform: runnerApi.PTransform,
    spec: runnerApi.ParDoPayload,
    private readonly context: OperatorContext,
    views: ViewDeclarations,
    private readonly stepName: string,
  ) {
    const { descriptor, pipelineContext } = context;
    const windowingOf = (inputId: string): runnerApi.WindowingStrategy => {
      const pcollection = descriptor.pcollections[transform.inputs[inputId] ?? ""] as runnerApi.PCollection;
      return descriptor.windowingStrategies[pcollection.windowingStrategyId] as runnerApi.WindowingStrategy;
    };
    const mainId = Object.keys(transform.inputs).find((id) => !(id in spec.sideInputs)) as string;
    this.mainWindowCoder = pipelineContext.getCoder(windowingOf(mainId).windowCoderId);
    this.sources = Object.entries(views).map(([name, view]) => {
      const id = sideInputId(name);
      const pcollection = descriptor.pcollections[transform.inputs[id] ?? ""] as runnerApi.PCollection;
      return {
        name,
        id,
        view,
        elementCoder: pipelineContext.getCoder(pcollection.coderId),
        windowCoder: pipelineContext.getCoder(windowingOf(id).windowCoderId),
        windowFn: windowingOf(id).windowFn as runnerApi.FunctionSpec,
      };
    });
  }

  startBundle(): void {
    this.byWindow = new Map();
    this.client = undefined;
  }

  private idOf(window: Window): string {
    return Buffer.from(encodeNested(this.mainWindowCoder, window)).toString("latin1");
  }

  /** Whether the side inputs of a window of the main input must be loaded first. */
  isMissing(window: Window): boolean {
    return !this.byWindow.has(this.idOf(window));
  }

  /** The side inputs of a window of the main input, by name. */
  of(window: Window): Readonly<Record<string, unknown>> {
    return this.byWindow.get(this.idOf(window)) ?? {};
  }

  /** Loads the side inputs of a window, unless they are there. Rejects when the state stream breaks. */
  async load(window: Window): Promise<void> {
    const id = this.idOf(window);
    if (this.byWindow.has(id)) return;
    const values = await Promise.all(this.sources.map((source) => this.read(source, window)));
    this.byWindow.set(id, Object.fromEntries(this.sources.map(({ name }, i) => [name, values[i]])));
  }

  private async get(stateKey: StateKey): Promise<Uint8Array> {
    this.client ??= StateClient.forBundle(this.context);
    return this.client.get(stateKey);
  }

  private async read(source: Source, mainWindow: Window): Promise<unknown> {
    const { name, id, view, elementCoder, windowCoder, windowFn } = source;
    const window = encodeNested(windowCoder, sideInputWindowOf(windowFn, mainWindow));
    const key = { transformId: this.transformId, sideInputId: id, window };
    switch (view.kind) {
      case "iterable":
      case "singleton": {
        const bytes = await this.get({ type: { oneofKind: "iterableSideInput", iterableSideInput: key } });
        const elements = decodeAll(elementCoder, bytes);
        return view.kind === "iterable" ? elements : this.only(elements, name, view);
      }
      case "multimap":
      case "map": {
        const { keyCoder, valueCoder } = elementCoder as KVCoder<unknown, unknown>;
        const lookUp = this.lookUp(key, keyCoder, valueCoder);
        return { get: view.kind === "multimap" ? lookUp : async (k: unknown) => this.atMostOne(await lookUp(k), name) };
      }
    }
  }

  private lookUp(
    key: { transformId: string; sideInputId: string; window: Uint8Array },
    keyCoder: Coder<unknown>,
    valueCoder: Coder<unknown>,
  ): (key: unknown) => Promise<readonly unknown[]> {
    const found = new Map<string, Promise<readonly unknown[]>>();
    return (k) => {
      const encoded = encodeNested(keyCoder, k);
      const text = Buffer.from(encoded).toString("latin1");
      let values = found.get(text);
      if (!values) {
        const multimapSideInput = { ...key, key: encoded };
        values = this.get({ type: { oneofKind: "multimapSideInput", multimapSideInput } }).then((bytes) =>
          decodeAll(valueCoder, bytes),
        );
        found.set(text, values);
      }
      return values;
    };
  }

  private only(elements: readonly unknown[], name: string, { whenEmpty }: View<unknown, unknown>): unknown {
    if (elements.length === 1) return elements[0];
    if (!elements.length && whenEmpty) return whenEmpty.value;
    throw new Error(`${this.stepName}: the side input ${name} has ${elements.length} elements in a window, not one`);
  }

  private atMostOne(values: readonly unknown[], name: string): unknown {
    if (values.length > 1) throw new Error(`${this.stepName}: the side input ${name} has several values for one key`);
    return values[0];
  }
}
