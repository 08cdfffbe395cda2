import assert from "node:assert/strict";
import { ConfigError, readOptions } from "@eventlogger/options/options";
import { launchOptions } from "./launchOptions";

describe("--dataflow-service-options", () => {
  const { dataflowServiceOptions } = launchOptions;
  const read = (value: string): readonly string[] =>
    readOptions({ dataflowServiceOptions }, { dataflowServiceOptions: value }, {}).dataflowServiceOptions;

  it("accepts service options, but not the streaming mode that may count events twice", () => {
    assert.deepEqual(read("enable_prime,min_num_workers=2"), ["enable_prime", "min_num_workers=2"]);
    assert.throws(
      () => read("enable_prime,streaming_mode_at_least_once"),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /must not contain streaming_mode_at_least_once/);
        return true;
      },
    );
  });
});
