import "../sdk";
import { StateKey } from "apache-beam/proto/beam_fn_api";
import { MiniRunner } from "../testing/miniRunner";

export const scenarios = {
  /** The state stream breaks while the SDK waits for a side input: the error, and whether the worker ends. */
  brokenStream: async () => {
    const runner = await MiniRunner.start();
    try {
      runner.stateHangs = true;
      const sideInput = { transformId: "t", sideInputId: "i", window: new Uint8Array() };
      const key = StateKey.create({ type: { oneofKind: "iterableSideInput", iterableSideInput: sideInput } });
      // The worker watches its streams from its first instruction on.
      await runner.instruct({ oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: {} }).response;
      const answer = runner.worker.getStateChannel(runner.address).getState("b1", key, () => "value");
      if (answer.type !== "promise") throw new Error("The SDK has not asked the runner");
      const error = answer.promise.then(() => "", String);
      await runner.until(() => runner.stateRequests.length === 1, "the request");
      runner.breakState();
      const result = await error;
      await runner.until(() => runner.controlEnded, "the end of the worker");
      return result;
    } finally {
      runner.close();
    }
  },
};
