import "../sdk";
import assert from "node:assert/strict";
import { runInThisContext } from "node:vm";
import { impulse, parDo, withName, type PCollection } from "apache-beam";
import { registeredObjects } from "apache-beam/serialization";
import {
  applyDoFn,
  buildPipeline,
  bundleParDo,
  DoFnNotSerializableError,
  pipe,
  statefulParDo,
  stringCoder,
  textKvCoder,
  withKvCoder,
  type DoFn,
} from "../index";
import { Numbers, SplitPair } from "../testing/fixtures";
import * as dofns from "../testing/unserializable";
import { checkSerializable } from "./checkSerializable";
import { deserializeDoFn, serializeDoFn } from "./serialize";

const REGISTER = "from a module whose last line is registerModule\\(module\\)$";

function errorOf(doFn: object): string {
  let message = "";
  assert.throws(
    () => checkSerializable("step", doFn),
    (error: unknown) => {
      assert(error instanceof DoFnNotSerializableError);
      ({ message } = error);
      return true;
    },
  );
  return message;
}

describe("Serialization of a DoFn", () => {
  it("a DoFn whose class is not exported by a registered module is refused", () => {
    assert.match(
      errorOf(dofns.notExported()),
      new RegExp(
        `^step: the DoFn is an instance of NotExported, which workers cannot load. Export NotExported ${REGISTER}`,
      ),
    );
  });

  it("a DoFn with private fields or methods is refused, also when a base class has them", () => {
    const remedy =
      /^step: \w+ has the private member #count, which is not serialized. Declare it as "private count" instead$/;
    assert.match(errorOf(new dofns.WithPrivateField()), remedy);
    assert.match(errorOf(new dofns.InheritsPrivateField()), remedy);
    assert.match(errorOf(new dofns.WithPrivateMethod()), /WithPrivateMethod has the private member #twice/);
    checkSerializable("step", new dofns.WithPrivateStatic());
  });

  it("private members are found in classes of every compilation target", () => {
    const source = `({
      Field: class { a = 1; #count; process() { return this.#count; } },
      Method: class { *process() { yield this.#twice(); } async #twice() {} },
      Accessor: class { get #half() { return 1; } },
      Static: class { static #created = 0; static get #all() { return 1; } text = "#a;"; /* #b; */ process() {} },
    })`;
    const classes = runInThisContext(source) as Record<string, new () => object>;
    // As classes of a registered module, for this test only: workers of later tests could not load the module.
    const registered = registeredObjects as { name: string; builtin: unknown }[];
    const before = registered.length;
    for (const [name, { prototype }] of Object.entries(classes)) registered.push({ name, builtin: prototype });
    const nameOf = (name: string): string | undefined =>
      /private member (\S+),/.exec(errorOf(new (classes[name] as new () => object)()))?.[1];
    assert.deepEqual([nameOf("Field"), nameOf("Method"), nameOf("Accessor")], ["#count", "#twice", "#half"]);
    checkSerializable("step", new (classes["Static"] as new () => object)());
    registered.length = before;
  });

  it("a DoFn with a closure in a field is refused, wherever it is in the field", () => {
    const captured = 1;
    const closure = (): number => captured;
    const what = "is a function, and what it refers to does not exist in a worker. Make it a method, or export it";
    assert.match(
      errorOf(new dofns.WithField(closure)),
      new RegExp(`^step: the field field of WithField ${what} ${REGISTER}`),
    );
    assert.match(
      errorOf(new dofns.WithField({ a: [1, closure] })),
      /^step: the field field of WithField\.a\[1\] is a funct/,
    );
    assert.match(errorOf(new dofns.WithField(new Map([["k", closure]]))), /field of WithField\[0\]\[1\] is a function/);
    assert.match(errorOf({ process: closure }), /^step: the field process of the DoFn is a function/);
    checkSerializable("step", new dofns.WithField(dofns.exported));
  });

  it("a DoFn with an object of a class that workers cannot load is refused", () => {
    assert.match(
      errorOf(new dofns.WithField([dofns.hidden()])),
      new RegExp(
        `^step: the field field of WithField\\[0\\] is an instance of Hidden, which workers cannot load. Export`,
      ),
    );
  });

  const lost: [string, unknown][] = [
    ["NaN", NaN],
    ["-0", -0],
    ["a Buffer", Buffer.from("x")],
    ["a WeakMap", new WeakMap()],
    ["a Promise", Promise.resolve()],
    ["a Symbol", Symbol("s")],
  ];
  for (const [what, value] of lost) {
    it(`a field that holds ${what} is refused, because it does not survive serialization`, () => {
      assert.match(
        errorOf(new dofns.WithField(value)),
        /^step: the field field of WithField does not survive serialization \(.+\)\. Keep plain data in the field, and create/,
      );
    });
  }

  const kept: [string, unknown][] = [
    ["texts, numbers, booleans, null and undefined", ["a", 1.5, Infinity, true, null, undefined]],
    ["a bigint", 2n ** 70n],
    ["nested objects and arrays", { a: [{ b: {} }] }],
    ["instances of exported classes", new dofns.Range(1, 2)],
    ["a Map and a Set, also in each other", new Map<unknown, unknown>([["k", new Set([1, { a: new Map() }])]])],
    ["a Date and a RegExp", [new Date(5), /a+/i]],
    ["a Map in an instance of a class", new dofns.Range(new Map([[1, 2]]) as unknown as number, 3)],
  ];
  for (const [what, value] of kept) {
    it(`a field arrives in a worker as it is when it holds ${what}`, () => {
      const doFn = new dofns.WithField(value);
      checkSerializable("step", doFn);
      const copy = deserializeDoFn<dofns.WithField>(serializeDoFn(doFn));
      assert.deepEqual(copy.field, value);
      assert(copy instanceof dofns.WithField);
      assert.deepEqual([...copy.process("x")], ["x"]);
      assert.deepEqual(doFn.field, value, "serialization has changed the DoFn");
    });
  }

  it("applyDoFn, bundleParDo and statefulParDo refuse such a DoFn when the pipeline is built", async () => {
    const closure = (): number => 1;
    const build = (apply: (input: PCollection<string>) => PCollection<unknown>): Promise<unknown> =>
      buildPipeline((root) => apply(pipe(root, impulse(), withName("numbers", parDo(new Numbers(1))))));
    const error = (name: string): RegExp =>
      new RegExp(`^DoFnNotSerializableError: step: the field field of ${name} is a f`);
    const doFn: DoFn<string, string> = new dofns.WithField(closure);
    await assert.rejects(
      build((input) => pipe(input, applyDoFn("step", doFn))),
      error("WithField"),
    );
    await assert.rejects(
      build((input) => pipe(input, bundleParDo("step", new dofns.BundleWithField(closure), stringCoder))),
      error("BundleWithField"),
    );
    await assert.rejects(
      build((input) =>
        pipe(
          input,
          withName("pair", parDo(new SplitPair())),
          withKvCoder("kv", textKvCoder),
          statefulParDo("step", new dofns.StatefulWithField(closure), { input: textKvCoder, output: stringCoder }),
        ),
      ),
      error("StatefulWithField"),
    );
  });
});
