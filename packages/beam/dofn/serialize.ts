import "../sdk";
import { deserializeFn, serializeFn } from "apache-beam/internal/serialize";

/** Marks a Map or a Set, which the SDK's serialization turns into an object that only looks like one. */
const MARK = "@eventlogger/beam:collection";

type Marked = { readonly [MARK]: "map" | "set"; readonly content: unknown[] };

/** Copies what contains a Map or a Set; returns any other value as it is. */
function mark(value: unknown, path: Set<object>): unknown {
  if (typeof value !== "object" || value === null || path.has(value)) return value;
  path.add(value);
  try {
    if (value instanceof Map) return { [MARK]: "map", content: mark([...(value as Map<unknown, unknown>)], path) };
    if (value instanceof Set) return { [MARK]: "set", content: mark([...(value as Set<unknown>)], path) };
    if (ArrayBuffer.isView(value)) return value;
    let copy: Record<string, unknown> | undefined;
    for (const [field, content] of Object.entries(value)) {
      const marked = mark(content, path);
      if (marked === content) continue;
      copy ??= Object.assign(
        Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value) as object | null),
        value,
      ) as Record<string, unknown>;
      copy[field] = marked;
    }
    return copy ?? value;
  } finally {
    path.delete(value);
  }
}

/** Replaces marks in a value that was just deserialized, so that it may be changed. */
function unmark(value: unknown, seen: Set<object>): unknown {
  if (typeof value !== "object" || value === null || seen.has(value)) return value;
  seen.add(value);
  if (MARK in value) {
    const { [MARK]: kind, content } = value as Marked;
    const items = unmark(content, seen) as unknown[];
    return kind === "map" ? new Map(items as [unknown, unknown][]) : new Set(items);
  }
  if (ArrayBuffer.isView(value)) return value;
  for (const [field, content] of Object.entries(value)) {
    const unmarked = unmark(content, seen);
    if (unmarked !== content) (value as Record<string, unknown>)[field] = unmarked;
  }
  return value;
}

/** Serializes a DoFn or a field of one. Unlike the SDK's serialization it keeps Maps and Sets. */
export function serializeDoFn(doFn: unknown): Uint8Array {
  return serializeFn({ doFn: mark(doFn, new Set()) });
}

/** The DoFn that {@link serializeDoFn} has serialized. */
export function deserializeDoFn<T>(bytes: Uint8Array): T {
  return unmark((deserializeFn(bytes) as { doFn: unknown }).doFn, new Set()) as T;
}
