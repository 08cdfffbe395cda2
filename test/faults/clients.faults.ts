import assert from "node:assert/strict";
import { useIngest, type TestReplica } from "@eventlogger/ingest/testing/fixture";
import { post, sampleEvent } from "@eventlogger/ingest/testing/requests";
import { printFigures, statusesText } from "./faultReport";
import { badBodies, garbageBodies, headerFlood, idleConnections, slowRequests, type Answers } from "./hostileClients";
import { nginxInstalled, testTierFault, type Tier, type TierFault } from "./tierFault";

/** Both entry points: nginx, and the replica, which may also run without nginx. */
const entryPorts = ({ port, replicas }: Tier): readonly number[] => [port, (replicas[0] as TestReplica).port];

/** @throws AssertionError when an answer has another status, such as a 500 or an accepted event */
function assertRefused(answers: Answers, allowed: readonly string[]): void {
  const others = Object.keys(answers).filter((status) => !allowed.includes(status));
  assert.deepEqual(others, [], statusesText(answers));
}

const DEEP = "[".repeat(30_000) + "]".repeat(30_000);

/** Invalid bodies of kinds that have crashed other services. */
const BAD_BODIES: readonly (string | Buffer)[] = [
  Buffer.concat([
    Buffer.from('{"type":"event","session_id":"'),
    Buffer.from([0xc3, 0x28, 0xff, 0xfe]),
    Buffer.from('"}'),
  ]),
  Buffer.from([0xed, 0xa0, 0x80]),
  DEEP,
  `{"type":"event","properties":{"a":${DEEP}}}`,
  '{"a":'.repeat(5000),
  // Unknown fields are kept. The events are refused for the name that they lack.
  JSON.stringify(sampleEvent({ event_name: undefined })).replace("{", '{"__proto__":{"polluted":"yes"},'),
  JSON.stringify(sampleEvent({ constructor: { prototype: { polluted: "yes" } }, event_name: undefined })),
];

(nginxInstalled ? describe : describe.skip)("Hostile clients of a replica behind nginx under load", function () {
  this.timeout(180_000);
  const ingest = useIngest();
  const run = async (fault: Omit<TierFault, "replicas" | "maxFailures">, maxFailures = 0): Promise<void> =>
    printFigures(...(await testTierFault(ingest, { ...fault, replicas: 1, maxFailures })));

  it("clients that send one byte per second (slowloris) are disconnected, and no other request fails", () =>
    run({
      run: "slowloris",
      async act(tier) {
        const [nginx, replica] = entryPorts(tier) as [number, number];
        const limitMs = 50_000;
        const [nginxHeaders, nginxBody, headers, body] = await Promise.all([
          slowRequests(nginx, "headers", 250, limitMs),
          slowRequests(nginx, "body", 250, limitMs),
          slowRequests(replica, "headers", 250, limitMs),
          slowRequests(replica, "body", 250, limitMs),
        ]);
        for (const [answers, longestMs] of [nginxHeaders, nginxBody, headers, body]) {
          assertRefused(answers, ["408", "400", "none"]);
          assert.ok(longestMs < limitMs - 5000, `a connection lived for ${longestMs} ms`);
        }
        const describeAnswers = ([answers, ms]: typeof headers): string =>
          `250, ${statusesText(answers)}, gone after ${(ms / 1000).toFixed(1)} s`;
        return [
          `at nginx: headers ${describeAnswers(nginxHeaders)}; bodies ${describeAnswers(nginxBody)}`,
          `at the replica: headers ${describeAnswers(headers)}; bodies ${describeAnswers(body)}`,
        ];
      },
    }));

  it("replica and nginx serve again after 10,000 idle connections", () => {
    const hold = (tier: Tier): Promise<number[]> =>
      Promise.all(entryPorts(tier).map((port) => idleConnections(port, 10_000, 8000)));
    return run(
      {
        run: "idle",
        prepare: hold,
        async act(tier) {
          const open = await hold(tier);
          return [`10,000 opened at each; still open after 8 s: nginx ${open[0]}, replica ${open[1]}`];
        },
      },
      // A full server closes connections that wait for their next request.
      Infinity,
    );
  });

  it("1 GB of random bytes is refused, and no other request fails", () =>
    run({
      run: "garbage",
      prepare: ({ port }) => garbageBodies(`http://127.0.0.1:${port}`, 3e8),
      async act({ port }) {
        const answers = await garbageBodies(`http://127.0.0.1:${port}`, 1e9);
        assertRefused(answers, ["200", "400", "413", "415", "503", "none"]);
        return [`1 GB: ${statusesText(answers)}`];
      },
    }));

  it("malformed UTF-8, deep JSON and prototype names are refused, and no other request fails", () =>
    run({
      run: "bad-bodies",
      prepare: ({ port }) => badBodies(`http://127.0.0.1:${port}`, BAD_BODIES, 30),
      async act(tier) {
        const all: string[] = [];
        for (const port of entryPorts(tier)) {
          const url = `http://127.0.0.1:${port}`;
          const answers = await badBodies(url, BAD_BODIES, 100);
          // A batch with one invalid event is answered with 200 and rejects the event.
          assertRefused(answers, ["200", "400"]);
          const bare = await post(url, sampleEvent({ event_name: undefined }));
          assert.equal(bare.status, 400);
          assert.doesNotMatch(await bare.text(), /polluted/);
          all.push(statusesText(answers));
        }
        return all;
      },
    }));

  it("requests with 100 KB of headers are refused, and no other request fails", () =>
    run({
      run: "headers",
      async act(tier) {
        const all = await Promise.all(entryPorts(tier).map((port) => headerFlood(port, 1000)));
        for (const answers of all) assertRefused(answers, ["400", "431", "none"]);
        return [`nginx: ${statusesText(all[0] ?? {})}; the replica: ${statusesText(all[1] ?? {})}`];
      },
    }));
});
