import "../sdk";
import { parDo, withName } from "apache-beam";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import { iterableSideInput } from "apache-beam/transforms/pardo";
import { pipe, stringCoder } from "../index";
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
} satisfies Scenarios;
