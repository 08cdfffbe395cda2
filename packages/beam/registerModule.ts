import "./sdk";
import { readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { requireForSerialization } from "apache-beam/serialization";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/**
 * The name under which a worker loads a compiled module: the package's name and the file's path below `dist`, as the
 * package exports it (`@scope/package/folder/file`).
 * @param file absolute path of the compiled module
 * @throws Error when the file is not below the `dist` folder of its package
 */
export function moduleName(file: string): string {
  const root = packageRootOf(file);
  const [folder, ...path] = relative(root, file).split(sep);
  const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name: string };
  if (folder !== "dist" || !file.endsWith(".js")) {
    throw new Error(`${file} is not a compiled module of ${name}: workers load only what is below its dist folder`);
  }
  return [name, ...path].join("/").replace(/\.js$/, "");
}

/**
 * Registers a module whose functions and classes are part of a pipeline, so that workers can load them by name. Call it
 * at the end of the module: `registerModule(module);`
 * @throws Error when the module is not a compiled module of its package
 */
export function registerModule(module: NodeJS.Module): void {
  requireForSerialization(moduleName(module.filename), module.exports as object);
}
