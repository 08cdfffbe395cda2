import { MiniRunner } from "../testing/miniRunner";
import * as fixtures from "../testing/fixtures";
import { bundleParDo, pipe, stringCoder } from "../index";

const texts = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => String(from + i));

async function withSlowStep<T>(use: (runner: MiniRunner) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("slow", (input) => pipe(input, bundleParDo("slow", new fixtures.SlowIdentity(), stringCoder)));
  return use(runner).finally(() => runner.close());
}

export const scenarios = {
  /** Ten messages of twenty elements for an asynchronous operator: the output. */
  slowOperator: () =>
    withSlowStep(async (runner) => {
      const messages = Array.from({ length: 10 }, (_, i) => texts(20, 20 * i));
      return (await runner.run("slow", messages)).output;
    }),

  /** Data arrives before its bundle starts, and while the first of it is processed: the output. */
  earlyData: () =>
    withSlowStep(async (runner) => {
      await runner.run("slow", [["opens the data stream"]]);
      const id = runner.newBundleId();
      await runner.send("slow", id, texts(50));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const { response } = runner.startBundle("slow", { id });
      await new Promise((resolve) => setTimeout(resolve, 10));
      await runner.send("slow", id, texts(50, 50), true);
      await response;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return runner.output(id);
    }),

  /** The data stream breaks during a bundle: the errors of this bundle and of the next one. */
  brokenStream: () =>
    withSlowStep(async (runner) => {
      const { id, response } = runner.startBundle("slow");
      await runner.send("slow", id, texts(3));
      await runner.until(() => runner.worker.dataChannels.size > 0, "the data stream");
      runner.breakData();
      const first = (await response).error;
      return [first, (await runner.startBundle("slow").response).error];
    }),

  /** The data stream ends without an error during a bundle: the error of the bundle. */
  endedStream: () =>
    withSlowStep(async (runner) => {
      const { id, response } = runner.startBundle("slow");
      await runner.send("slow", id, texts(3));
      runner.endData();
      return (await response).error;
    }),

  /** The number of bundles that the channel still knows after twenty bundles have ended. */
  leftOver: () =>
    withSlowStep(async (runner) => {
      for (let i = 0; i < 20; i++) await runner.run("slow", [texts(1)]);
      return [...runner.worker.dataChannels.values()].map((channel) => channel.consumers.size);
    }),
};
