/**
 * Node 24 removed the deprecated `util.isPrimitive`, which `serialize-closures` (a dependency of the SDK) calls. Without
 * this patch, loading the SDK throws `util.isPrimitive is not a function` on Node 24 and prints a deprecation warning on
 * Node 22.
 */
import util from "node:util";

interface LegacyUtil {
  isPrimitive?: (value: unknown) => boolean;
}

/** Adds `util.isPrimitive`; on a Node that has it, replaces it by one that prints no warning. */
export function patchLegacyUtil(target: object = util): void {
  const legacy = target as LegacyUtil;
  legacy.isPrimitive = (value) => value === null || (typeof value !== "object" && typeof value !== "function");
}

patchLegacyUtil();
