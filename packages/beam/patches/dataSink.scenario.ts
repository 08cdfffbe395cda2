import "../sdk";
import { parDo, withName } from "apache-beam";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { bundleParDo, pipe, stringCoder } from "../index";

export const scenarios = {
  /** One element becomes 1020 strings of a kilobyte: the number of outputs, and of distinct outputs. */
  largeOutput: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("large", (input) =>
        // A ParDo of the SDK does not wait for the sink between two outputs.
        pipe(input, withName("numbers", parDo(new fixtures.Numbers(1020, 1000)))),
      );
      const { output } = await runner.run("large", [["impulse"]]);
      return { count: output.length, distinct: new Set(output).size };
    } finally {
      runner.close();
    }
  },

  /** The output that arrives before the bundle ends. */
  outputOfOpenBundle: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("open", (input) => pipe(input, bundleParDo("text", new fixtures.Identity(), stringCoder)));
      const { id } = runner.startBundle("open");
      await runner.send("open", id, ["a", "b"]);
      await runner.until(() => runner.output(id).length === 2, "output");
      return runner.output(id);
    } finally {
      runner.close();
    }
  },
};
