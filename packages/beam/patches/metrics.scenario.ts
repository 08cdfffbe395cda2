import "../sdk";
import { parDo, withName } from "apache-beam";
import { counter as sdkCounter } from "apache-beam/transforms/pardo";
import type { PCollection } from "apache-beam";
import type { InstructionResponse } from "apache-beam/proto/beam_fn_api";
import type { MonitoringInfo } from "apache-beam/proto/metrics";
import { decodeInt64 } from "../metrics/cells";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import {
  bundleParDo,
  pipe,
  splittableParDo,
  statefulParDo,
  stringCoder,
  textKvCoder,
  withKvCoder,
  type AnyPTransform,
} from "../index";

/** A reported metric: the end of its URN, its labels and its values. */
export interface Reported {
  readonly urn: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

function reported({ response }: InstructionResponse): Reported[] {
  let infos: MonitoringInfo[] = [];
  if (response.oneofKind === "processBundle") infos = response.processBundle.monitoringInfos;
  if (response.oneofKind === "processBundleProgress") infos = response.processBundleProgress.monitoringInfos;
  return infos.map(({ urn, labels, payload }) => ({
    urn: urn.replace(/^beam:metric:|:v1$/g, ""),
    labels,
    values: decodeInt64(payload),
  }));
}

type Step = AnyPTransform<PCollection<string>, unknown>;

async function withStep<T>(step: Step, use: (runner: MiniRunner, transformId: string) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("step", (input) => pipe(input, step as never));
  return use(runner, runner.transformId("step", "metered")).finally(() => runner.close());
}

/** The metrics with these URNs of one bundle. */
async function ofBundle(runner: MiniRunner, values: readonly unknown[], urn: RegExp): Promise<Reported[]> {
  const { response } = await runner.run("step", [values]);
  if (response.error) throw new Error(response.error);
  return reported(response).filter((metric) => urn.test(metric.urn));
}

const sized = (restriction: string): unknown => ({
  key: { key: new Uint8Array(), value: new TextEncoder().encode(JSON.stringify(restriction)) },
  value: 1,
});

const METERED: Readonly<Record<string, { readonly step: Step; readonly values: readonly unknown[] }>> = {
  plain: {
    step: withName("metered", parDo(new fixtures.MeteredSdk() as never, { sdk: sdkCounter("sdk") } as never)),
    values: ["a", "b"],
  },
  bundle: { step: bundleParDo("metered", new fixtures.Metered(), stringCoder), values: ["1", "23"] },
  afterAwait: { step: bundleParDo("metered", new fixtures.MeteredLater(), stringCoder), values: ["a", "b"] },
  splittable: {
    step: splittableParDo("metered", new fixtures.MeteredSource(), stringCoder) as never,
    values: [sized("a"), sized("b")],
  },
};

export const scenarios = {
  /** Three bundles of two elements: the element counts and the user metrics of each. */
  perBundle: () =>
    withStep(METERED["plain"]?.step as Step, async (runner) => {
      const bundles: Reported[][] = [];
      for (let i = 0; i < 3; i++) bundles.push(await ofBundle(runner, ["a", "b"], /element_count|user/));
      return bundles.map((metrics) => metrics.map(({ values }) => values));
    }),

  /** The user metrics of each kind of DoFn in its second bundle, without the label of the step when it is right. */
  ofDoFns: async () => {
    const result: Record<string, unknown> = {};
    for (const [name, { step, values }] of Object.entries(METERED)) {
      result[name] = await withStep(step, async (runner, transformId) => {
        await ofBundle(runner, values, /user/);
        const metrics = await ofBundle(runner, values, /user/);
        return metrics.map(({ urn, labels: { PTRANSFORM, ...labels }, values }) => {
          const step = PTRANSFORM === transformId ? "" : `of ${PTRANSFORM} `;
          const numbers = urn.includes("latest") ? values.slice(1) : values; // without its time
          return `${step}${urn.replace("user:", "")} ${Object.values(labels).sort().join(" ")}: ${numbers.join(" ")}`;
        });
      });
    }
    return result;
  },

  /** The user metrics of a stateful DoFn, with those of its finishKey. */
  ofStatefulDoFn: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("step", (input) =>
        pipe(
          input,
          withName("pair", parDo(new fixtures.SplitPair())),
          withKvCoder("kv", textKvCoder),
          statefulParDo("metered", new fixtures.MeteredPerKey(), { input: textKvCoder, output: stringCoder }),
        ),
      );
      const metrics = await ofBundle(runner, ["a=1", "a=2", "b=1"], /user/);
      const transformId = runner.transformId("step", "metered");
      return metrics.map(({ labels, values }) => [labels["PTRANSFORM"] === transformId, ...values]);
    } finally {
      runner.close();
    }
  },

  /** A step that holds the event loop, before one that does not: the names of the steps with execution time, and the time. */
  executionTime: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("step", (input) =>
        pipe(
          input,
          bundleParDo("busy", new fixtures.Busy(), stringCoder),
          bundleParDo("idle", new fixtures.Identity(), stringCoder),
        ),
      );
      const metrics = await ofBundle(runner, ["a", "b"], /execution_time/);
      const busy = runner.transformId("step", "busy");
      return metrics
        .filter(({ labels }) => labels["PTRANSFORM"] === busy)
        .map(({ urn, values: [ms = 0] }) => ({ urn, isLongEnough: ms >= 160 }));
    } finally {
      runner.close();
    }
  },

  /** The sizes of ten elements of three characters, at the input and at the output. */
  byteSizes: () =>
    withStep(METERED["bundle"]?.step as Step, async (runner) =>
      (await ofBundle(runner, Array<string>(10).fill("abc"), /byte_size/)).map(({ values }) => values),
    ),

  /** The read index while a bundle waits for data, after two elements. */
  readIndex: () =>
    withStep(METERED["bundle"]?.step as Step, async (runner) => {
      const { id, response } = runner.startBundle("step");
      await runner.send("step", id, ["a", "b"]);
      await runner.until(() => runner.output(id).length === 2, "the output");
      const progress = await runner.instruct({
        oneofKind: "processBundleProgress",
        processBundleProgress: { instructionId: id },
      }).response;
      await runner.send("step", id, [], true);
      await response;
      return reported(progress).filter(({ urn }) => /read_index|element_count/.test(urn));
    }),
};
