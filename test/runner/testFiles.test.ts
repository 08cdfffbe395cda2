import assert from "node:assert/strict";
import { compiledFile, isUnitTest, moduleName, parseSelection, selectTests } from "./testFiles";

const files = ["packages/a/x.test.ts", "packages/a/y.component.test.ts", "test/e2e/z.e2e.test.ts"];
const select = (...args: string[]): string[] => selectTests(files, parseSelection(args));

describe("Selection of tests", () => {
  it("npm test without arguments selects every test file", () => {
    assert.deepEqual(select(), files);
  });

  it("npm test -- PATH selects the files whose path contains it", () => {
    assert.deepEqual(select("packages/a"), files.slice(0, 2));
    assert.deepEqual(select("./packages/a/x.test.ts", "e2e"), [files[0], files[2]]);
  });

  it("npm run test:unit selects only files with the suffix .test.ts alone", () => {
    assert.deepEqual(select("--unit"), [files[0]]);
    assert.deepEqual(files.map(isUnitTest), [true, false, false]);
  });

  it("npm test refuses a path that matches no test, and unknown options", () => {
    assert.throws(() => select("packages/a", "nothing"), /No test file matches nothing/);
    assert.throws(() => select("--unit", "e2e"), /No unit test matches e2e/);
    assert.throws(() => select("--grep"), /Unknown option --grep/);
  });

  it("a source file is mapped to its compiled file and to its module name", () => {
    const workspaces = new Map([["@p/a", "packages/a"]]);
    assert.equal(compiledFile(workspaces, "packages/a/b/x.test.ts"), "packages/a/dist/b/x.test.js");
    assert.equal(moduleName(workspaces, "packages/a/b/x.test.ts"), "@p/a/b/x.test");
    assert.throws(() => moduleName(workspaces, "packages/b/x.ts"), /packages\/b\/x\.ts is not in any workspace/);
  });
});
