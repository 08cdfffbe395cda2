import "./sdk";
import { readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { requireForSerialization } from "apache-beam/serialization";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/**
 * The name by which a worker loads a compiled module: the name of the package and the path of the file below `dist`, such
 * as `@scope/package/folder/file`. The `exports` of the package must map this name to the file.
 * @param file absolute path of the compiled module
 * @throws Error when the file is not below the `dist` folder of its package
 */
export function moduleName(file: string): string {
  const root = packageRootOf(file);
  const [folder, ...path] = relative(root, file).split(sep);
  const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name: string };
  if (folder !== "dist" || !file.endsWith(".js")) {
    throw new Error(`${file} is not a compiled module of ${name}: workers load only modules below its dist folder`);
  }
  return [name, ...path].join("/").replace(/\.js$/, "");
}

/**
 * Registers a module whose classes and functions are part of a pipeline, so that workers can load it by name. Call it in
 * the last line of the module: `registerModule(module);`
 * @throws Error when the file is not a compiled module of its package
 */
export function registerModule(module: NodeJS.Module): void {
  requireForSerialization(moduleName(module.filename), module.exports as object);
}
