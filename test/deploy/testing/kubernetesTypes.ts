import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cacheDir } from "@eventlogger/process/packageRoot";
import ts from "typescript";

/** An object of Kubernetes' API. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

interface Model {
  validate(): void;
}

const requireModel = createRequire(__filename);
const MODELS = dirname(require.resolve("kubernetes-models"));

/** What the schema of its kind reports about an object; undefined when it is valid. Unknown fields are not reported. */
function schemaProblem(object: KubernetesObject): string | undefined {
  const models = requireModel(join(MODELS, object.apiVersion)) as Readonly<
    Record<string, new (data: KubernetesObject) => Model>
  >;
  const Kind = models[object.kind];
  if (Kind === undefined) return `${object.apiVersion} has no kind ${object.kind}`;
  try {
    new Kind(object).validate();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The problems that the compiler finds when the objects are literals of their types: also fields that do not exist. */
function typeProblems(objects: readonly KubernetesObject[]): string[] {
  // In the checkout, where the compiler finds the package with the types.
  const directory = mkdtempSync(join(cacheDir, "kubernetes-types-"));
  const file = join(directory, "objects.ts");
  const lines = objects.flatMap((object, i) => [
    `import type { I${object.kind} as Kind${i} } from "kubernetes-models/${object.apiVersion}";`,
    `export const object${i}: Kind${i} = ${JSON.stringify(object)};`,
  ]);
  try {
    writeFileSync(file, lines.join("\n"));
    const program = ts.createProgram([file], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      lib: ["lib.es2022.d.ts"],
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.Node16,
      moduleResolution: ts.ModuleResolutionKind.Node16,
    });
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What is wrong with objects of Kubernetes' API: fields that are missing, have another type, or do not exist. */
export function kubernetesProblems(objects: readonly KubernetesObject[]): string[] {
  const schema = objects.flatMap((object) => {
    const problem = schemaProblem(object);
    return problem === undefined ? [] : [`${object.kind} ${object.metadata.name}: ${problem}`];
  });
  return [...schema, ...typeProblems(objects)];
}
