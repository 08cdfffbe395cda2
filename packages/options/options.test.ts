import assert from "node:assert/strict";
import {
  atLeast,
  ConfigError,
  envName,
  flagName,
  formatDuration,
  parseDuration,
  readOptions,
  wholeNumber,
  type OptionSpecs,
  yargsOptions,
} from "./options";

const specs = {
  port: { type: "number", describe: "Port", default: 3000, check: wholeNumber(1, 65_535) },
  lateAfter: { type: "duration", describe: "Age", default: 86_400_000 },
  project: { type: "string", describe: "Project" },
  fresh: { type: "boolean", describe: "Anew", default: false },
  endpoint: { type: "string", describe: "Emulator", optional: true },
} as const satisfies OptionSpecs;

describe("readOptions", () => {
  it("derives the flag and the variable of an option from one name", () => {
    assert.equal(flagName("lateAfter"), "--late-after");
    assert.equal(envName("lateAfter"), "LATE_AFTER");
  });

  it("prefers a flag to its variable, and a variable to the default", () => {
    const read = readOptions(specs, { project: "flag" }, { PROJECT: "env", LATE_AFTER: "2h", FRESH: "true" });
    assert.deepEqual(read, { project: "flag", lateAfter: 7_200_000, port: 3000, fresh: true });
  });

  it("reports that a duration lacks a unit if its number is not valid as milliseconds, with examples", () => {
    const gap = {
      sessionGap: { type: "duration", describe: "Gap", default: 1_800_000, check: atLeast(1000) },
    } as const;
    for (const [flags, env] of [
      [{ sessionGap: "30" }, {}],
      [{}, { SESSION_GAP: " 30" }],
    ] as const) {
      assert.throws(() => readOptions(gap, flags, env), {
        message:
          "Configuration: --session-gap (SESSION_GAP) has no unit, so 30 means 30 milliseconds, which is not valid " +
          "here. Add a unit, such as 30s, 30m or 30h",
      });
    }
    assert.throws(() => readOptions(gap, { sessionGap: "30ms" }, {}), /must be at least 1s, not "30ms"/);
    assert.throws(() => readOptions(gap, { sessionGap: "0" }, {}), /must be at least 1s, not "0"/);
    assert.deepEqual(readOptions(gap, { sessionGap: "2000" }, {}), { sessionGap: 2000 });
  });

  it("treats an empty variable as unset", () => {
    const read = readOptions(specs, { project: "p" }, { PORT: "", FRESH: "", ENDPOINT: "" });
    assert.deepEqual(read, { project: "p", lateAfter: 86_400_000, port: 3000, fresh: false });
  });

  it("reads a flag-only option from its flag alone, and names no variable of it", () => {
    const flagOnly = {
      user: { type: "string", describe: "User", optional: true, isFlagOnly: true, check: () => "is wrong" },
    } as const;
    assert.deepEqual(readOptions(flagOnly, {}, { USER: "root" }), {});
    assert.throws(() => readOptions(flagOnly, { user: "u" }, {}), /Configuration: --user is wrong, not "u"$/);
    assert.equal(yargsOptions(flagOnly)["user"]?.describe, "User");
  });

  it("checks all options and lists every problem in one error", () => {
    assert.throws(
      () => readOptions(specs, { port: "99999" }, { LATE_AFTER: "soon", FRESH: "maybe" }),
      (error: unknown) => {
        assert(error instanceof ConfigError);
        assert.equal(error.problems.length, 4);
        assert.match(error.message, /--port \(PORT\) must be a whole number from 1 to 65535, not "99999"/);
        assert.match(
          error.message,
          /--late-after \(LATE_AFTER\) must be a duration such as 10s, 30m or 1d, not "soon"/,
        );
        assert.match(error.message, /--project \(PROJECT\) is required: Project/);
        assert.match(error.message, /--fresh \(FRESH\) must be true or false, not "maybe"/);
        return true;
      },
    );
  });

  it("passes only valid values to the cross-field validation and adds its problems to the others", () => {
    assert.throws(
      () =>
        readOptions(specs, { port: "x", project: "p", fresh: true }, {}, ({ port, fresh, project }) => {
          assert.equal(port, undefined);
          return fresh && project === "p" ? ["--fresh cannot be used with project p"] : [];
        }),
      ({ problems }: ConfigError) => {
        assert.deepEqual(problems, [
          '--port (PORT) must be a number, not "x"',
          "--fresh cannot be used with project p",
        ]);
        return true;
      },
    );
  });

  it("reads lists and maps, whose flags may be repeated", () => {
    const lists = {
      experiments: { type: "list", describe: "E", default: [] },
      labels: { type: "map", describe: "L", default: {} },
    } as const satisfies OptionSpecs;
    const read = readOptions(lists, { labels: ["team=data,cost=7", "note=a=b"] }, { EXPERIMENTS: " a, b=1 ,," });
    assert.deepEqual(read, { experiments: ["a", "b=1"], labels: { team: "data", cost: "7", note: "a=b" } });
    assert.deepEqual(readOptions(lists, {}, {}), { experiments: [], labels: {} });
    for (const labels of ["team", "=data", "team=a,team=b"]) {
      assert.throws(() => readOptions(lists, { labels }, {}), /--labels \(LABELS\) must be a list such as key=value/);
    }
  });

  it("accepts the choices of an enum option, and lists them when it rejects a value", () => {
    const choices = {
      log: { type: "enum", choices: ["off", "problems", "all"], describe: "Requests to log", default: "problems" },
      runner: { type: "enum", choices: ["dataflow"], describe: "Runner", optional: true },
    } as const satisfies OptionSpecs;
    // The type is the union of the choices: these assignments compile without a cast.
    const log: "off" | "problems" | "all" = readOptions(choices, {}, {}).log;
    const runner: "dataflow" | undefined = readOptions(choices, { runner: "dataflow" }, {}).runner;
    assert.deepEqual([log, runner], ["problems", "dataflow"]);
    assert.equal(readOptions(choices, {}, { LOG: "all" }).log, "all");
    assert.throws(
      () => readOptions(choices, { log: "some", runner: "flink" }, {}),
      ({ problems }: ConfigError) => {
        assert.deepEqual(problems, [
          '--log (LOG) must be one of off, problems, all, not "some"',
          '--runner (RUNNER) must be dataflow, not "flink"',
        ]);
        return true;
      },
    );
  });
});

describe("parseDuration", () => {
  it("parses durations with a unit and without, and formatDuration writes them back", () => {
    for (const [text, ms] of [
      ["250", 250],
      ["250ms", 250],
      ["10s", 10_000],
      ["30m", 1_800_000],
      ["1.5h", 5_400_000],
      ["1d", 86_400_000],
    ] as const) {
      assert.equal(parseDuration(text), ms);
    }
    for (const text of ["", "s", "-1s", "1w", "1 s", "1e3"]) assert.equal(parseDuration(text), undefined);
    for (const ms of [1, 250, 10_000, 90_000, 1_800_000, 5_400_000, 86_400_000]) {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }
  });

  it("requires an option only without the one that replaces it, given as a flag or as a variable", () => {
    const specs = {
      project: { type: "string", describe: "Project", requiredUnless: "costPer" },
      costPer: { type: "number", describe: "Estimate", optional: true },
    } as const;
    assert.throws(() => readOptions(specs, {}, {}), /--project \(PROJECT\) is required: Project/);
    assert.throws(() => readOptions(specs, {}, { COST_PER: "" }), /--project \(PROJECT\) is required/);
    assert.deepEqual(readOptions(specs, { costPer: "5" }, {}), { costPer: 5 });
    assert.deepEqual(readOptions(specs, {}, { COST_PER: "5" }), { costPer: 5 });
  });
});
