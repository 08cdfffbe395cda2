import "../sdk";
import { isDeepStrictEqual } from "node:util";
import { registeredObjects } from "apache-beam/serialization";
import { deserializeDoFn, serializeDoFn } from "./serialize";

/** A DoFn, or an object in one of its fields, would not arrive in a worker as it is in the launcher. */
export class DoFnNotSerializableError extends Error {
  constructor(step: string, problem: string, remedy: string) {
    super(`${step}: ${problem}. ${remedy}`);
    this.name = "DoFnNotSerializableError";
  }
}

const PLAIN: readonly unknown[] = [Object.prototype, Array.prototype, null];

function isRegistered(value: unknown): boolean {
  return (registeredObjects as readonly { readonly builtin: unknown }[]).some(({ builtin }) => builtin === value);
}

/** Source text without comments and string literals, which may contain what looks like a private name. */
function withoutTexts(source: string): string {
  return source.replace(/\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, " ");
}

/** The first `#name` of the instances of a class, given the source of the class. */
function ownPrivateName(className: string, source: string): string | undefined {
  const withoutStatic = source.replace(/\bstatic\s+(?:async\s+|get\s+|set\s+|\*\s*)*#[\w$]+/g, " ");
  const declared = /(?:^|[{};\n])\s*(?:async\s+|get\s+|set\s+|\*\s*)*(#[\w$]+)\s*[=;(]/.exec(withoutStatic);
  if (declared) return declared[1];
  // What TypeScript makes of them for targets below ES2022.
  const name = className.replaceAll("$", "\\$");
  const field = new RegExp(`\\b_${name}_([\\w$]+)\\.set\\(this,`).exec(source);
  if (field) return `#${field[1]}`;
  if (!new RegExp(`\\b_${name}_instances\\.add\\(this\\)`).test(source)) return undefined;
  return `#${new RegExp(`\\b_${name}_(?!instances\\b)([\\w$]+)`).exec(source)?.[1] ?? "name"}`;
}

/** The first `#name` of the instances of a class or its base classes. */
function privateNameOf(prototype: object): string | undefined {
  for (let p: object | null = prototype; p && p !== Object.prototype; p = Object.getPrototypeOf(p) as object | null) {
    const name = ownPrivateName(p.constructor.name, withoutTexts(Function.prototype.toString.call(p.constructor)));
    if (name !== undefined) return name;
  }
  return undefined;
}

interface Found {
  readonly problem: string;
  readonly remedy: string;
}

/** What is wrong with an object that is serialized with its class. */
function checkClass(value: object, what: string): Found | undefined {
  const prototype = Object.getPrototypeOf(value) as object;
  const name = prototype.constructor.name || "an anonymous class";
  if (!isRegistered(prototype)) {
    return {
      problem: `${what} is an instance of ${name}, which workers cannot load`,
      remedy: `Export ${name} from a module whose last line is registerModule(module)`,
    };
  }
  const privateName = privateNameOf(prototype);
  if (privateName !== undefined) {
    return {
      problem: `${name} has the private member ${privateName}, which is not serialized`,
      remedy: `Declare it as "private ${privateName.slice(1)}" instead`,
    };
  }
  return undefined;
}

/** Looks for functions and for instances of unknown classes in a value. */
function check(value: unknown, what: string, seen: Set<unknown>): Found | undefined {
  if (typeof value === "function") {
    if (isRegistered(value)) return undefined;
    return {
      problem: `${what} is a function, and what it refers to does not exist in a worker`,
      remedy: "Make it a method, or export it from a module whose last line is registerModule(module)",
    };
  }
  if (typeof value !== "object" || value === null || seen.has(value)) return undefined;
  seen.add(value);
  if (value instanceof Date || value instanceof RegExp) return undefined;
  if (value instanceof Map || value instanceof Set) return check([...value], what, seen);
  if (!PLAIN.includes(Object.getPrototypeOf(value))) {
    const found = isBuiltin(value) ? lost(value, what) : checkClass(value, what);
    if (found) return found;
  }
  for (const [field, content] of Object.entries(value)) {
    const found = check(content, Array.isArray(value) ? `${what}[${field}]` : `${what}.${field}`, seen);
    if (found) return found;
  }
  return undefined;
}

/** Whether an object is of a class of JavaScript, such as a Promise, or a Buffer. */
function isBuiltin(value: object): boolean {
  const { constructor } = Object.getPrototypeOf(value) as object;
  return /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(constructor)) || ArrayBuffer.isView(value);
}

function lost(value: unknown, what: string): Found {
  return {
    problem: `${what} does not survive serialization (${describe(value)})`,
    remedy: "Keep plain data in the field, and create the rest in setup() or startBundle()",
  };
}

/**
 * Checks that a DoFn arrives in a worker as it is here: its class is registered, nothing in it is a closure or has private
 * fields, and each field survives serialization.
 * @param step name of the step, for the error
 * @throws DoFnNotSerializableError with the field and what to do
 */
export function checkSerializable(step: string, doFn: object): void {
  const { name } = doFn.constructor;
  const fail = ({ problem, remedy }: Found): never => {
    throw new DoFnNotSerializableError(step, problem, remedy);
  };
  const isPlain = PLAIN.includes(Object.getPrototypeOf(doFn));
  const found = isPlain ? undefined : checkClass(doFn, "the DoFn");
  if (found) fail(found);
  const seen = new Set<unknown>([doFn]);
  for (const [field, value] of Object.entries(doFn)) {
    const what = isPlain ? `the field ${field} of the DoFn` : `the field ${field} of ${name}`;
    const inField = check(value, what, seen);
    if (inField) fail(inField);
    if (!isDeepStrictEqual(value, deserializeDoFn(serializeDoFn(value)))) fail(lost(value, what));
  }
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return `a ${(value.constructor as { name: string } | undefined)?.name}`;
  return String(value);
}
