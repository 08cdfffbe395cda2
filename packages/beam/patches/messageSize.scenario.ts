import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { bundleParDo, pipe, stringCoder } from "../index";

export const scenarios = {
  /** The runner sends five megabytes in one message: the error of the bundle, and the lengths of its outputs. */
  largeMessage: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("large", (input) => pipe(input, bundleParDo("text", new fixtures.Identity(), stringCoder)));
      const { response, output } = await runner.run("large", [["x".repeat(5_000_000)]]);
      return { error: response.error, lengths: output.map((text) => (text as string).length) };
    } finally {
      runner.close();
    }
  },
};
