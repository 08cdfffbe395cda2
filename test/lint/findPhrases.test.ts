import assert from "node:assert/strict";
import type { BannedPhrase } from "./bannedPhrases";
import { findPhrases } from "./findPhrases";

const PHRASES: readonly BannedPhrase[] = [
  { pattern: /\bis none\b/i, reason: "r", suggestion: "s" },
  { pattern: /giveBack/, reason: "r", suggestion: "s", inCode: true },
  { pattern: /bucket/i, reason: "r", suggestion: "s", inCode: true, files: /^ledgers\// },
];

const hits = (file: string, source: string): string[] =>
  findPhrases(file, source, PHRASES).map(({ line, phrase }) => `${line} ${phrase}`);

describe("The search for banned phrases", () => {
  it("finds a phrase in a line comment, a block comment and a doc comment", () => {
    const source = "// This is none.\nlet a = 1; /* That is none. */\n/** It is none. */\nlet b = 2;\n// is none\n";
    assert.deepEqual(hits("a.ts", source), ["1 is none", "2 is none", "3 is none", "5 is none"]);
  });

  it("finds a phrase in a comment before a closing brace", () => {
    assert.deepEqual(hits("a.ts", "function f() {\n  // is none\n}\n"), ["2 is none"]);
  });

  it("finds a phrase that goes over the end of a comment line", () => {
    assert.deepEqual(hits("a.ts", "\n/**\n * A value that is\n * none of these.\n */\nlet a;\n"), ["3 is none"]);
    assert.deepEqual(hits("a.ts", "// A value that is\n// none of these.\nlet a;\n"), ["1 is none"]);
  });

  it("finds no phrase over the end of a paragraph", () => {
    assert.deepEqual(hits("a.md", "What it is\n\nNone of these.\n"), []);
  });

  it("finds a phrase in strings and in every part of a template", () => {
    const source =
      'f("x is none");\nf(`is none ${a} is none ${b("is none")} is none`);\nf(\'is none\');\nf(`is none`);\n';
    assert.deepEqual(hits("a.ts", source), [
      "1 is none",
      ...["2 is none", "2 is none", "2 is none", "2 is none"],
      "3 is none",
      "4 is none",
    ]);
  });

  it("takes code for code, also where it looks like a comment or a string", () => {
    assert.deepEqual(hits("a.ts", "const r = /is none/; const d = is / none / 2;\n"), []);
    assert.deepEqual(hits("a.mjs", 'const url = "https://x"; // is none\n'), ["1 is none"]);
  });

  it("finds a name in code only when the phrase asks for code", () => {
    assert.deepEqual(hits("a.ts", "subscriber.giveBack(taken);\n"), ["1 giveback"]);
    assert.deepEqual(hits("a.ts", "const isNone = is.none;\n"), []);
  });

  it("finds a phrase in pages and configuration files, which are read whole", () => {
    assert.deepEqual(hits("docs/a.md", "# A\n\nThat is\nnone.\n"), ["3 is none"]);
    assert.deepEqual(hits("a/Dockerfile", "FROM x\n# There is\n# none.\n"), ["2 is none"]);
    assert.deepEqual(hits("a.py", 'x = 1  # is none\nprint("is none")\n'), ["1 is none", "2 is none"]);
    assert.deepEqual(hits("A.java", "/* is\n * none */\n"), ["1 is none"]);
  });

  it("finds a phrase for some files only in those", () => {
    assert.deepEqual(hits("ledgers/a.ts", "const sessionBuckets = 1;\n"), ["1 bucket"]);
    assert.deepEqual(hits("gcp/a.ts", "const buckets = 1;\n"), []);
  });
});
