import assert from "node:assert/strict";
import { join } from "node:path";
import { ESLint } from "eslint";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

interface Case {
  /** What lint checks. */
  readonly what: string;
  readonly rule: string;
  readonly bad: string;
  readonly good: string;
}

const UNION = 'declare const kind: "ok" | "drop" | "dlq";\n';

const CASES: readonly Case[] = [
  {
    what: "a switch over a union names every member",
    rule: "@typescript-eslint/switch-exhaustiveness-check",
    bad: `${UNION}switch (kind) {\n  case "ok":\n  case "drop":\n}`,
    good: `${UNION}switch (kind) {\n  case "ok":\n  case "drop":\n  case "dlq":\n}`,
  },
  {
    what: "a default does not hide a member of a union",
    rule: "@typescript-eslint/switch-exhaustiveness-check",
    bad: `${UNION}switch (kind) {\n  case "ok":\n    break;\n  default:\n}`,
    good: `${UNION}switch (kind) {\n  case "ok":\n  case "drop":\n  case "dlq":\n    break;\n  default:\n}`,
  },
  {
    what: "a switch over text has a default",
    rule: "@typescript-eslint/switch-exhaustiveness-check",
    bad: 'declare const text: string;\nswitch (text) {\n  case "ok":\n}',
    good: 'declare const text: string;\nswitch (text) {\n  case "ok":\n  default:\n}',
  },
  {
    what: "a promise is awaited or handled",
    rule: "@typescript-eslint/no-floating-promises",
    bad: "Promise.resolve(1);",
    good: "void Promise.resolve(1);",
  },
  {
    what: "the error of a rejected promise is unknown",
    rule: "@typescript-eslint/use-unknown-in-catch-callback-variable",
    bad: "void Promise.resolve(1).catch((error: Error) => error.message);",
    good: "void Promise.resolve(1).catch((error: unknown) => String(error));",
  },
  {
    what: "no message contains [object Object]",
    rule: "@typescript-eslint/restrict-template-expressions",
    bad: "declare const name: { readonly first: string };\nexport const text = `Hello ${name}`;",
    good: "declare const count: number;\nexport const text = `Hello ${count}`;",
  },
  {
    what: "nothing deprecated is called",
    rule: "@typescript-eslint/no-deprecated",
    bad: "/** @deprecated use g */\nfunction f(): void {}\nf();",
    good: "function f(): void {}\nf();",
  },
];

describe("Lint with types", function () {
  // The compiler loads a workspace once.
  const eslint = new ESLint({ cwd: repositoryRoot });
  // Any file of a workspace: its text is replaced.
  const filePath = join(repositoryRoot, "packages", "process", "packageRoot.ts");

  for (const { what, rule, bad, good } of CASES) {
    it(`checks that ${what} (${rule})`, async () => {
      const rules = async (text: string): Promise<(string | null)[]> => {
        const [result] = await eslint.lintText(`${text}\nexport {};\n`, { filePath });
        assert.equal(result?.fatalErrorCount, 0, JSON.stringify(result?.messages));
        return result.messages.map(({ ruleId }) => ruleId);
      };
      assert.ok((await rules(bad)).includes(rule), `not reported: ${bad}`);
      assert.ok(!(await rules(good)).includes(rule), `reported: ${good}`);
    });
  }
});
