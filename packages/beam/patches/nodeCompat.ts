/**
 * Mends: Node 24 removed the deprecated `util.isPrimitive` and its siblings, which `serialize-closures` (a dependency of
 * the SDK) still calls. Without it, loading the SDK on Node 24 ends in `util.isPrimitive is not a function`, and on
 * Node 22 every program that loads it begins with a deprecation warning.
 */
import util = require("node:util");

interface LegacyUtil {
  isPrimitive?: (value: unknown) => boolean;
}

/** Puts back what Node took away; on a Node that still has it, one that does not warn. */
export function patchLegacyUtil(target: object = util): void {
  const legacy = target as LegacyUtil;
  legacy.isPrimitive = (value) => value === null || (typeof value !== "object" && typeof value !== "function");
}

patchLegacyUtil();
