import assert from "node:assert/strict";
import { pino } from "pino";
import { AccessLog, PROBLEM_LINES, type AccessLogMode, type AccessRecord } from "./accessLog";

const RECORD: AccessRecord = {
  requestId: "id-1",
  method: "POST",
  route: "/event/",
  status: 204,
  durationMs: 3.14159,
  error: undefined,
  key: "shop",
};

describe("AccessLog", () => {
  let now: number;
  let lines: Record<string, unknown>[];
  beforeEach(() => {
    now = 0;
    lines = [];
  });

  function open(mode: AccessLogMode): (changes: Partial<AccessRecord>) => void {
    const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
    const logger = pino({ level: "info", base: null, timestamp: false }, { write });
    const log = new AccessLog({ mode, slowMs: 1000, logger, now: () => now });
    return (changes) => {
      const record = { ...RECORD, ...changes };
      if (log.wants(record.route, record.status, record.durationMs)) log.write(record);
    };
  }

  const CASES: readonly Partial<AccessRecord>[] = [
    {},
    { status: 400, error: "INVALID_EVENT" },
    { status: 503, error: "PUBSUB_TIMEOUT" },
    { status: 204, durationMs: 1000 },
    { route: "/readyz", status: 503 },
  ];

  for (const [mode, levels] of [
    ["off", []],
    ["problems", [40, 40]],
    ["all", [30, 30, 40, 40, 40]],
  ] as const) {
    it(`AccessLog logs the requests of mode ${mode}`, () => {
      const log = open(mode);
      for (const each of CASES) log(each);
      assert.deepEqual(lines.map(({ level }) => level), levels); // prettier-ignore
    });
  }

  it("AccessLog writes method, route, status and duration of a request", () => {
    open("all")({ status: 503, error: "PUBSUB_TIMEOUT" });
    assert.deepEqual(lines, [
      {
        level: 40,
        requestId: "id-1",
        method: "POST",
        route: "/event/",
        status: 503,
        durationMs: 3.1,
        error: "PUBSUB_TIMEOUT",
        key: "shop",
        msg: "request",
      },
    ]);
  });

  it("AccessLog writes a burst of problems, then one per second with the number of omitted ones", () => {
    const log = open("problems");
    for (let i = 0; i < 1000; i++) log({ status: 500 });
    const { burst } = PROBLEM_LINES;
    assert.equal(lines.length, burst);
    now = 1000;
    log({ status: 500 });
    log({ status: 500 });
    assert.deepEqual(
      lines.slice(burst).map(({ unlogged }) => unlogged),
      [1000 - burst],
    );
    now = 3000;
    log({ status: 500 });
    log({ status: 500 });
    assert.deepEqual(
      lines.slice(burst + 1).map(({ unlogged }) => unlogged),
      [1, undefined],
    );
  });
});
