import { builtinModules } from "node:module";
import tseslint from "typescript-eslint";
import { eventlogger } from "./tools/lint/plugin.mjs";

/** Programs whose output on the console is what they are for, and the workers, whose console is the log of the runner. */
const PRINTING = ["pipeline/cli/**", "local/**", "tools/**", "bench/**", "test/**", "packages/beam/worker/**"];
const TESTS = ["**/*.test.ts", "**/*.scenario.ts", "**/testing/**"];

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", ".local/**", ".cache/**"] },
  ...tseslint.configs.strictTypeChecked,
  {
    plugins: { eventlogger },
    rules: {
      "eventlogger/workspace-borders": "error",
      "eventlogger/no-import-cycles": "error",
      "eventlogger/declared-dependencies": "error",
      "eventlogger/no-only-tests": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "prefer-const": "error",
      "no-duplicate-imports": ["error", { allowSeparateTypeImports: true }],
      "no-restricted-imports": [
        "error",
        ...builtinModules
          .filter((name) => !name.startsWith("node:"))
          .map((name) => ({ name, message: `Import "node:${name}".` })),
      ],
    },
  },
  {
    files: ["**/*.ts", "**/*.mts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // Messages may contain an exit code that is null, and the like.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowRegExp: true, allowNullish: true, allowAny: false },
      ],
      // Strict rules that would cost more than they find here:
      // `async` without `await` makes a function throw only by rejection.
      "@typescript-eslint/require-await": "off",
      // `() => void f()` and `() => f()` are the shortest way to ignore a result.
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      // It does not see that a field or a signal changes during an `await`.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // The SDK passes values that are not what its types declare.
      "@typescript-eslint/no-unnecessary-type-conversion": "off",
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      // `delete process.env[name]` is the only way to unset a variable.
      "@typescript-eslint/no-dynamic-delete": "off",
      // Readers of JSON return the type that their caller expects.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // A DoFn may return elements or nothing.
      "@typescript-eslint/no-invalid-void-type": "off",
      // A switch over a union names every member, also beside a `default`: the compiler then reports a new member.
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      // One style of import (docs/adr/0002-commonjs.md): ES syntax, which the compiler turns into `require`. A module that
      // exports one value has a default import, as in `import path from "node:path"`. `import x = require("x")` remains
      // for modules whose own object is needed: a patch replaces a member of it, or reads what the SDK attached to it.
      "@typescript-eslint/no-require-imports": [
        "error",
        {
          allow: [
            "^apache-beam/worker/operators$",
            "^apache-beam/transforms/windowings$",
            "^apache-beam/runners/(runner|direct_runner)$",
            "^@grpc/grpc-js/build/src/constants$",
          ],
        },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "ImportDeclaration[source.value=/^node:/] > ImportNamespaceSpecifier",
          message: "Import a module of Node by its default (import path from) or by names, not as a namespace.",
        },
      ],
    },
  },
  { files: ["**/*.ts", "**/*.mts"], ignores: [...PRINTING, ...TESTS], rules: { "no-console": "error" } },
  {
    files: ["**/*.ts"],
    ignores: ["packages/beam/patches/!(*.test|*.scenario).ts", "packages/beam/sdk.ts"],
    rules: { "eventlogger/patched-sdk-first": "error" },
  },
  {
    // Methods of the SDK's prototypes are taken out and put back with the right `this`.
    files: ["packages/beam/patches/*.ts"],
    rules: { "@typescript-eslint/unbound-method": "off" },
  },
  {
    // Syntax of ES2018, which has no catch without a name.
    files: ["packages/client/*.mts"],
    rules: { "@typescript-eslint/no-unused-vars": ["error", { caughtErrors: "none" }] },
  },
  { files: ["**/*.mjs", "**/*.js", "**/*.cjs"], ...tseslint.configs.disableTypeChecked },
  { files: ["**/*.js", "**/*.cjs"], rules: { "@typescript-eslint/no-require-imports": "off" } },
);
