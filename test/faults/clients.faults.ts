import assert from "node:assert/strict";
import { useIngest, type TestReplica } from "@eventlogger/ingest/testing/fixture";
import { post, sampleEvent } from "@eventlogger/ingest/testing/requests";
import { printFigures, statusesText } from "./figures";
import { badBodies, garbageBodies, headerFlood, idleConnections, slowRequests, type Answers } from "./hostileClients";
import { nginxInstalled, passTierFault, type Tier, type TierFault } from "./tier";

/** Both doors: nginx, and the replica behind it, for whoever has none. */
const doors = ({ port, replicas }: Tier): readonly number[] => [port, (replicas[0] as TestReplica).port];

/** @throws AssertionError when a server was at a loss, or took what is not right */
function assertRefused(answers: Answers, allowed: readonly string[]): void {
  const others = Object.keys(answers).filter((status) => !allowed.includes(status));
  assert.deepEqual(others, [], statusesText(answers));
}

const DEEP = "[".repeat(30_000) + "]".repeat(30_000);

/** Bodies that are wrong in a way that has brought down others. */
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
  JSON.stringify(sampleEvent()).replace("{", '{"__proto__":{"polluted":"yes"},'),
  JSON.stringify(sampleEvent({ constructor: { prototype: { polluted: "yes" } } })),
];

(nginxInstalled ? describe : describe.skip)("a replica behind nginx, under load, with clients that", function () {
  this.timeout(180_000);
  const ingest = useIngest();
  const pass = async (fault: Omit<TierFault, "replicas" | "maxFailures">, maxFailures = 0): Promise<void> =>
    printFigures(...(await passTierFault(ingest, { ...fault, replicas: 1, maxFailures })));

  it("send a byte a second (slowloris): they are cut, and the others notice nothing", () =>
    pass({
      run: "slowloris",
      async act(tier) {
        const [nginx, replica] = doors(tier) as [number, number];
        const limitMs = 50_000;
        const [nginxHeaders, nginxBody, headers, body] = await Promise.all([
          slowRequests(nginx, "headers", 250, limitMs),
          slowRequests(nginx, "body", 250, limitMs),
          slowRequests(replica, "headers", 250, limitMs),
          slowRequests(replica, "body", 250, limitMs),
        ]);
        // nginx has no limit for a whole body: such a client costs it a connection, and the replica nothing.
        for (const [answers, longestMs] of [nginxHeaders, headers, body]) {
          assertRefused(answers, ["408", "400", "none"]);
          assert.ok(longestMs < limitMs - 5000, `one was served for ${longestMs} ms`);
        }
        assertRefused(nginxBody[0], ["none"]);
        const said = ([answers, ms]: typeof headers): string =>
          `250, ${statusesText(answers)}, gone after ${(ms / 1000).toFixed(1)} s`;
        return [
          `at nginx: headers ${said(nginxHeaders)}; bodies held by nginx alone`,
          `at the replica: headers ${said(headers)}; bodies ${said(body)}`,
        ];
      },
    }));

  it("hold 10,000 idle connections", () => {
    const hold = (tier: Tier): Promise<number[]> =>
      Promise.all(doors(tier).map((port) => idleConnections(port, 10_000, 8000)));
    return pass(
      {
        run: "idle",
        prepare: hold,
        async act(tier) {
          const open = await hold(tier);
          return [`10,000 opened at each; still open after 8 s: nginx ${open[0]}, replica ${open[1]}`];
        },
      },
      // A server that is full closes connections that wait for their next request.
      Infinity,
    );
  });

  it("send 1 GB of garbage", () =>
    pass({
      run: "garbage",
      prepare: ({ port }) => garbageBodies(`http://127.0.0.1:${port}`, 3e8),
      async act({ port }) {
        const answers = await garbageBodies(`http://127.0.0.1:${port}`, 1e9);
        assertRefused(answers, ["200", "400", "413", "415", "503", "none"]);
        return [`1 GB: ${statusesText(answers)}`];
      },
    }));

  it("send malformed UTF-8, deep JSON and names of prototypes", () =>
    pass({
      run: "bad-bodies",
      prepare: ({ port }) => badBodies(`http://127.0.0.1:${port}`, BAD_BODIES, 30),
      async act(tier) {
        const all: string[] = [];
        for (const port of doors(tier)) {
          const url = `http://127.0.0.1:${port}`;
          const answers = await badBodies(url, BAD_BODIES, 100);
          // A batch of one event that is not right is taken and rejects its event.
          assertRefused(answers, ["200", "400"]);
          const bare = await post(url, sampleEvent({ event_name: undefined }));
          assert.equal(bare.status, 400);
          assert.doesNotMatch(await bare.text(), /polluted/);
          all.push(statusesText(answers));
        }
        return all;
      },
    }));

  it("flood with headers", () =>
    pass({
      run: "headers",
      async act(tier) {
        const all = await Promise.all(doors(tier).map((port) => headerFlood(port, 1000)));
        for (const answers of all) assertRefused(answers, ["400", "431", "none"]);
        return [`nginx: ${statusesText(all[0] ?? {})}; the replica: ${statusesText(all[1] ?? {})}`];
      },
    }));
});
