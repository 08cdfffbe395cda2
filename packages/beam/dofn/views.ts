/** How a DoFn sees a side input. */
export type ViewKind = "iterable" | "singleton" | "multimap" | "map";

declare const elementType: unique symbol;
declare const accessType: unique symbol;

/**
 * Declares a side input.
 * @typeParam E element of the collection
 * @typeParam A what the context of the DoFn has
 */
export interface View<E, A> {
  readonly kind: ViewKind;
  /** What a singleton is when the collection is empty; undefined: an error. */
  readonly whenEmpty?: { readonly value: unknown };
  readonly [elementType]?: E;
  readonly [accessType]?: A;
}

/** Side inputs by name. */
export type ViewDeclarations = Readonly<Record<string, View<unknown, unknown>>>;

/** A side input by key, with several values for each. Values are read when they are needed, and kept until the bundle ends. */
export interface MultimapSideInput<K, V> {
  /** The values of a key; empty when it has none. Rejects when the state stream breaks. */
  get(key: K): Promise<readonly V[]>;
}

/** A side input by key. Values are read when they are needed, and kept until the bundle ends. */
export interface MapSideInput<K, V> {
  /** The value of a key. Rejects when the key has several, or the state stream breaks. */
  get(key: K): Promise<V | undefined>;
}

/** A side input with all elements of a window in memory, in no particular order. */
export function iterableView<T>(): View<T, readonly T[]> {
  return { kind: "iterable" };
}

/**
 * A side input with one element for each window.
 * @param whenEmpty what it is when the window has no element. Without this, an empty window fails the bundle
 */
export function singletonView<T>(...whenEmpty: [] | [value: T]): View<T, T> {
  return whenEmpty.length ? { kind: "singleton", whenEmpty: { value: whenEmpty[0] } } : { kind: "singleton" };
}

/** A side input that is looked up by key. The collection must have a KV coder. */
export function multimapView<K, V>(): View<{ key: K; value: V }, MultimapSideInput<K, V>> {
  return { kind: "multimap" };
}

/** A side input that is looked up by key and has at most one value for each. The collection must have a KV coder. */
export function mapView<K, V>(): View<{ key: K; value: V }, MapSideInput<K, V>> {
  return { kind: "map" };
}
