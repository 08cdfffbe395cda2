import "../sdk";
import { create, parDo, windowInto, withName } from "apache-beam";
import { IsBounded_Enum } from "apache-beam/proto/beam_runner_api";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import { iterableSideInput } from "apache-beam/transforms/pardo";
import { fixedWindows } from "apache-beam/transforms/windowings";
import { buildPipeline, pipe, stringCoder, testStream } from "../index";
import { encode } from "../testing/codec";
import { CountSideInput } from "../testing/fixtures";
import { MiniRunner } from "../testing/miniRunner";
import type { Scenarios } from "../testing/scenario";

export const scenarios = {
  /** What three elements of a bundle see of a side input with three elements. */
  async iterable() {
    const runner = await MiniRunner.start();
    await runner.describe("d", (input, side) =>
      pipe(
        input,
        withName("count", parDo(new CountSideInput(), { side: iterableSideInput(side("side", stringCoder)) })),
      ),
    );
    const iterableSideInputKey = {
      transformId: runner.transformId("d", "count"),
      sideInputId: "side.side",
      window: new Uint8Array(),
    };
    const key = fnApi.StateKey.create({
      type: { oneofKind: "iterableSideInput", iterableSideInput: iterableSideInputKey },
    });
    const id = Buffer.from(fnApi.StateKey.toBinary(key)).toString("base64");
    runner.stored.set(id, encode(stringCoder, ["x", "y", "z"]));
    const { output } = await runner.run("d", [["a", "b", "c"]]);
    runner.close();
    return output;
  },

  /** Builds a ParDo with a bounded side input of an unbounded input; returns whether its output is unbounded. */
  async bounded() {
    let output = "";
    const { components } = await buildPipeline((root) => {
      const side = pipe(root, withName("side", create(["x"])));
      const main = pipe(root, testStream("main", []));
      const counted = pipe(main, withName("count", parDo(new CountSideInput(), { side: iterableSideInput(side) })));
      output = counted.getId();
      return counted;
    });
    return components?.pcollections[output]?.isBounded === IsBounded_Enum.UNBOUNDED;
  },

  /** Builds a ParDo whose side input is in other windows. */
  async otherWindows() {
    await buildPipeline((root) => {
      const side = pipe(root, withName("side", create(["x"])), withName("side windows", windowInto(fixedWindows(60))));
      const main = pipe(root, withName("main", create(["a"])), withName("windows", windowInto(fixedWindows(10))));
      return pipe(main, withName("count", parDo(new CountSideInput(), { side: iterableSideInput(side) })));
    });
  },
} satisfies Scenarios;
