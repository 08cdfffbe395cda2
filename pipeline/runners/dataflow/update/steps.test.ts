import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { Pipeline, StateSpec, TimerFamilySpec } from "apache-beam/proto/beam_runner_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { AtomicType, Field, FieldType, Schema } from "apache-beam/proto/schema";
import { stepsOf } from "./steps";
import { planUpdate } from "./updatePlan";

interface Keyed {
  readonly stateCoder: string;
  readonly keyCoder?: string;
  readonly schemaId?: string;
  readonly field?: string;
}

const coder = (urn: string, parts: readonly string[] = [], payload: Uint8Array = new Uint8Array()): runnerApi.Coder =>
  runnerApi.Coder.create({ spec: { urn, payload }, componentCoderIds: [...parts] });

/** A pipeline with a grouping of rows and a stateful step, each on a keyed collection. */
function pipeline({ stateCoder, keyCoder = "text", schemaId = "a", field = "id" }: Keyed): Uint8Array {
  const type = FieldType.create({ typeInfo: { oneofKind: "atomicType", atomicType: AtomicType.INT64 } });
  const schema = Schema.toBinary(Schema.create({ id: schemaId, fields: [Field.create({ name: field, type })] }));
  const payload = runnerApi.ParDoPayload.create({
    stateSpecs: {
      users: StateSpec.create({ spec: { oneofKind: "bagSpec", bagSpec: { elementCoderId: stateCoder } } }),
      names: StateSpec.create({
        spec: { oneofKind: "mapSpec", mapSpec: { keyCoderId: "text", valueCoderId: "row" } },
      }),
    },
    timerFamilySpecs: { expiry: TimerFamilySpec.create({ timerFamilyCoderId: "timer" }) },
  });
  const transform = (uniqueName: string, urn: string, bytes: Uint8Array = new Uint8Array()): runnerApi.PTransform =>
    runnerApi.PTransform.create({ uniqueName, spec: { urn, payload: bytes }, inputs: { in: "keyed" } });
  return Pipeline.toBinary(
    Pipeline.create({
      components: {
        coders: {
          text: coder("beam:coder:string_utf8:v1"),
          bytes: coder("beam:coder:bytes:v1"),
          row: coder("beam:coder:row:v1", [], schema),
          keyed: coder("beam:coder:kv:v1", [keyCoder, "row"]),
          timer: coder("beam:coder:timer:v1", ["text", "window"]),
          window: coder("beam:coder:global_window:v1"),
          mine: coder("beam:coder:mine:0.1", [], new Uint8Array([1])),
          changed: coder("beam:coder:mine:0.1", [], new Uint8Array([2])),
        },
        pcollections: { keyed: runnerApi.PCollection.create({ coderId: "keyed", windowingStrategyId: "global" }) },
        transforms: {
          group: transform("Group", "beam:transform:group_by_key:v1"),
          ledger: transform("Ledger", "beam:transform:pardo:v1", runnerApi.ParDoPayload.toBinary(payload)),
        },
      },
    }),
  );
}

const lossesBetween = (before: Keyed, after: Keyed): readonly string[] =>
  planUpdate(stepsOf(pipeline(before)), stepsOf(pipeline(after)), {}).losses;

describe("coders of the steps of a pipeline", () => {
  it("a step has the coders of its key, its states and its timers, and a grouping those of its elements", () => {
    const [group, ledger] = stepsOf(pipeline({ stateCoder: "mine" }));
    assert.deepEqual(group?.coders, { elements: "kv<string_utf8, row {id: type 4}>" });
    assert.deepEqual(ledger?.coders, {
      key: "string_utf8",
      "state users": "mine:0.1 #4bf5122f",
      "state names keys": "string_utf8",
      "state names values": "row {id: type 4}",
      "timer expiry": "timer<string_utf8, global_window>",
    });
  });

  it("an update that changes the coder of a state, a key or a row is refused with the name of the step and the coder", () => {
    assert.deepEqual(lossesBetween({ stateCoder: "text" }, { stateCoder: "bytes" }), [
      "Ledger (state) would change its coders, and the new ones cannot read what is stored: " +
        "state users from string_utf8 to bytes",
    ]);
    assert.match(
      lossesBetween({ stateCoder: "mine" }, { stateCoder: "changed" }).join(),
      /state users from mine:0\.1 #4bf5122f to mine:0\.1 #[0-9a-f]{8}$/,
    );
    const [group, ledger] = lossesBetween({ stateCoder: "text" }, { stateCoder: "text", keyCoder: "bytes" });
    assert.match(group ?? "", /^Group \(elements buffered .* elements from kv<string_utf8, .* to kv<bytes, /);
    assert.match(ledger ?? "", /^Ledger \(state\) .* key from string_utf8 to bytes$/);
    assert.equal(lossesBetween({ stateCoder: "text" }, { stateCoder: "text", field: "name" }).length, 2);
  });

  it("the random id of a schema is no change of a coder", () => {
    assert.deepEqual(lossesBetween({ stateCoder: "text" }, { stateCoder: "text", schemaId: "b" }), []);
  });
});
