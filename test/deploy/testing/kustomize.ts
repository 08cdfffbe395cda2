import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureGoProgram } from "@eventlogger/tools/go/goProgram";
import type { KubernetesObject } from "./kubernetesTypes";

/** The package has no types. */
const { loadAll } = createRequire(__filename)(require.resolve("js-yaml")) as {
  loadAll: (text: string) => KubernetesObject[];
};

/**
 * Builds kustomize from its Go module.
 * @returns the path of the program
 * @throws Error with the end of the output of Go
 */
export function ensureKustomize(onProgress: (line: string) => void = () => {}): Promise<string> {
  return ensureGoProgram(
    {
      name: "kustomize",
      what: "kustomize",
      source: join(repositoryRoot, "test", "deploy", "kustomize"),
      package: "sigs.k8s.io/kustomize/kustomize/v5",
    },
    onProgress,
  );
}

/**
 * The objects of a folder with a `kustomization.yaml`.
 * @param folder relative to the root of the repository
 * @throws Error with what kustomize reports
 */
export async function render(folder: string): Promise<KubernetesObject[]> {
  const kustomize = await ensureKustomize();
  const { stdout } = await promisify(execFile)(kustomize, ["build", join(repositoryRoot, folder)]);
  return loadAll(stdout);
}
