import "../sdk";
import { parDo, withName } from "apache-beam";
import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { pipe, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";

export const scenarios = {
  /** A bundle with many keys: the number of outputs, of state requests, and of messages that the state stream has sent. */
  manyKeys: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("sum", (input) =>
        pipe(
          input,
          withName("pair", parDo(new fixtures.SplitPair())),
          withKvCoder("kv", textKvCoder),
          statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
        ),
      );
      const keys = Array.from({ length: 1000 }, (_, i) => `key-${i}=${i}`);
      const { output } = await runner.run("sum", [keys]);
      return { outputs: output.length, requests: runner.stateRequests.length };
    } finally {
      runner.close();
    }
  },
};
