import tseslint from "typescript-eslint";

/** On Node 24 the Beam SDK loads only after the library that mends it, so a module that imports it imports that first. */
const mendedSdkFirst = {
  meta: { type: "problem", messages: { first: 'Import "@eventlogger/beam/sdk" before "{{name}}": it mends the SDK.' } },
  create: (context) => ({
    Program({ body }) {
      for (const { type, source, importKind, ...node } of body) {
        if (type !== "ImportDeclaration" || importKind === "type") continue;
        if (/^([./]+(\w+\/)*|@eventlogger\/beam\/)sdk$/.test(source.value)) return;
        if (!/^apache-beam($|\/)/.test(source.value)) continue;
        context.report({ loc: node.loc, messageId: "first", data: { name: source.value } });
        return;
      }
    },
  }),
};

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", ".local/**", ".cache/**"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ["**/*.ts", "**/*.mts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/no-require-imports": ["error", { allowAsImport: true }],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "prefer-const": "error",
    },
  },
  {
    files: ["**/*.ts"],
    ignores: ["packages/beam/patches/!(*.test|*.scenario).ts", "packages/beam/sdk.ts"],
    plugins: { beam: { rules: { "mended-sdk-first": mendedSdkFirst } } },
    rules: { "beam/mended-sdk-first": "error" },
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
