import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { useIngest, type TestReplica, type TestTopic } from "../testing/fixture";
import { errorsOf, postBatch, sampleEvent } from "../testing/requests";

describe("POST /events/ with Pub/Sub", () => {
  const ingest = useIngest();
  let topic: TestTopic;
  let replica: TestReplica;

  before(async () => {
    topic = await ingest.freshTopic();
    replica = await ingest.startReplica({ TOPIC: topic.name });
  });

  const events = (name: string, n: number): Record<string, unknown>[] =>
    Array.from({ length: n }, (_, i) => sampleEvent({ event_id: `${name}-${i}` }));

  async function assertInTopic(name: string, n: number): Promise<void> {
    for (let i = 0; i < n; i++) await topic.message(`${name}-${i}`);
  }

  it("POST /events/ accepts several concurrent batches of 1,000 events", async () => {
    const names = ["p", "q", "r", "s"];
    const answers = await Promise.all(names.map((name) => postBatch(replica.url, events(name, 1000))));
    for (const answer of answers) {
      assert.equal(answer.status, 200);
      assert.deepEqual(await answer.json(), { accepted: 1000, rejected: [] });
    }
    for (const name of names) await assertInTopic(name, 1000);
  });

  it("POST /events/ accepts each format, plain and compressed, with and without the slash", async () => {
    const forms: [string, string, (list: unknown[]) => string][] = [
      ["array", "application/json", (list) => JSON.stringify(list)],
      ["object", "text/plain;charset=UTF-8", (list) => JSON.stringify({ events: list })],
      ["lines", "application/x-ndjson", (list) => list.map((event) => JSON.stringify(event)).join("\n")],
    ];
    for (const [form, type, write] of forms) {
      for (const [encoding, compress] of [
        ["identity", (text: string) => Buffer.from(text)],
        ["gzip", gzipSync],
        ["br", brotliCompressSync],
      ] as [string, (text: string) => Uint8Array][]) {
        const name = `${form}-${encoding}`;
        const answer = await fetch(`${replica.url}/events${encoding === "br" ? "" : "/"}`, {
          method: "POST",
          headers: { "content-type": type, "content-encoding": encoding },
          body: compress(write(events(name, 3))),
        });
        assert.deepEqual([name, answer.status], [name, 200]);
        assert.deepEqual(await answer.json(), { accepted: 3, rejected: [] });
        await assertInTopic(name, 3);
      }
    }
  });

  it("POST /events/ accepts the valid events and names the invalid ones", async () => {
    const [first, second] = events("mixed", 2);
    const answer = await postBatch(replica.url, [
      first,
      { colour: "red", eventName: "view" },
      second,
      sampleEvent({ event_time: "soon" }),
    ]);
    assert.equal(answer.status, 200);
    const body = (await answer.json()) as {
      accepted: number;
      rejected: { index: number; errors: { field: string }[] }[];
    };
    assert.equal(body.accepted, 2);
    assert.deepEqual(
      body.rejected.map(({ index, errors }) => [index, errors.map(({ field }) => field).sort()]),
      [
        [1, ["eventName", "event_name", "event_time", "session_id", "type"]],
        [3, ["event_time"]],
      ],
    );
    await assertInTopic("mixed", 2);
  });

  it("POST /events/ gives events without an id the same ids in a retried batch, and others under another key", async () => {
    const known = new Set(topic.messages.keys());
    const batch = [sampleEvent({ page: "/again" }), sampleEvent({ page: "/again" })];
    const send = async (key?: string): Promise<void> => {
      const { status } = await postBatch(replica.url, batch, key === undefined ? {} : { "idempotency-key": key });
      assert.equal(status, 200);
    };
    await send();
    await send();
    await send("k1");
    await send("k1");
    await send("k2");
    await postBatch(replica.url, events("after", 1));
    await assertInTopic("after", 1);
    const made = [...topic.messages.keys()].filter((id) => !known.has(id) && id !== "after-0");
    assert.equal(made.length, 3 * 2, made.join());
  });

  const bad: [string, string | Uint8Array, number, Record<string, string>?][] = [
    ["nothing", "", 400],
    ["half an array", "[{}", 400],
    ["a number", "1", 400],
    ["one event", JSON.stringify(sampleEvent()), 400],
    ["a prototype", '{"__proto__":{"events":[]},"constructor":1}', 400],
    ["text that is no UTF-8", Buffer.from([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]), 400],
    ["lines that are no UTF-8", Buffer.from([0x22, 0xc3, 0x0a, 0x22]), 400, { "content-type": "application/x-ndjson" }],
    ["1,001 events", JSON.stringify(Array(1001).fill(sampleEvent())), 413],
    ["2,000,000 numbers", `[${"1,".repeat(2_000_000)}1]`, 413],
    ["more than 5 MiB", " ".repeat(5_242_881), 413],
    ["100 MB in gzip", gzipSync(Buffer.alloc(100_000_000, " ")), 413, { "content-encoding": "gzip" }],
    ["invalid gzip", "[]", 400, { "content-encoding": "gzip" }],
    ["brotli that is cut", brotliCompressSync("[{}]").subarray(0, 3), 400, { "content-encoding": "br" }],
    ["a form", "events=1", 415, { "content-type": "application/x-www-form-urlencoded" }],
    ["zstd", "[]", 415, { "content-encoding": "zstd" }],
    ["an idempotency key that is too long", "[]", 400, { "idempotency-key": "x".repeat(256) }],
    ["an empty idempotency key", "[]", 400, { "idempotency-key": "" }],
    ["objects 400,000 deep", '{"events":'.repeat(400_000) + "1" + "}".repeat(400_000), 400],
    ["arrays 2,600,000 deep", "[".repeat(2_600_000) + "]".repeat(2_600_000), 400],
  ];
  for (const [what, body, status, headers] of bad) {
    it(`POST /events/ answers ${status} to ${what}, and the replica keeps working`, async () => {
      const answer = await postBatch(replica.url, body, headers);
      assert.equal(answer.status, status);
      const errors = await errorsOf(answer);
      assert.ok(errors.length >= 1);
      assert.ok(JSON.stringify(errors).length < 4000);
      assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
    });
  }

  it("a replica logs no bodies and no addresses of POST /events/", () => {
    const lines = replica.process.logTail(1000).split("\n");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
      ["listening"],
    );
  });
});
