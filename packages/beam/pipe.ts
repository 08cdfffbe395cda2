import "./sdk";
import type { PCollection, Root } from "apache-beam";
import type { AsyncPTransform, PTransform } from "apache-beam/transforms/transform";

/** A transform from A to a collection of B. */
type Step<A extends Root | PCollection<unknown>, B> = PTransform<A, PCollection<B>>;

/** Applies transforms one after the other. Keeps the types, where the SDK's `PCollection.apply` returns `any`. */
export function pipe<I extends Root | PCollection<unknown>, A>(input: I, a: Step<I, A>): PCollection<A>;
export function pipe<I extends Root | PCollection<unknown>, A, B>(
  input: I,
  a: Step<I, A>,
  b: Step<PCollection<A>, B>,
): PCollection<B>;
export function pipe<I extends Root | PCollection<unknown>, A, B, C>(
  input: I,
  a: Step<I, A>,
  b: Step<PCollection<A>, B>,
  c: Step<PCollection<B>, C>,
): PCollection<C>;
export function pipe<I extends Root | PCollection<unknown>, A, B, C, D>(
  input: I,
  a: Step<I, A>,
  b: Step<PCollection<A>, B>,
  c: Step<PCollection<B>, C>,
  d: Step<PCollection<C>, D>,
): PCollection<D>;
export function pipe<I extends Root | PCollection<unknown>, A, B, C, D, E>(
  input: I,
  a: Step<I, A>,
  b: Step<PCollection<A>, B>,
  c: Step<PCollection<B>, C>,
  d: Step<PCollection<C>, D>,
  e: Step<PCollection<D>, E>,
): PCollection<E>;
export function pipe<I extends Root | PCollection<unknown>, A, B, C, D, E, F>(
  input: I,
  a: Step<I, A>,
  b: Step<PCollection<A>, B>,
  c: Step<PCollection<B>, C>,
  d: Step<PCollection<C>, D>,
  e: Step<PCollection<D>, E>,
  f: Step<PCollection<E>, F>,
): PCollection<F>;
/** Applies one transform with several outputs. */
export function pipe<I extends Root | PCollection<unknown>, R extends Readonly<Record<string, PCollection<unknown>>>>(
  input: I,
  a: PTransform<I, R>,
): R;
export function pipe(input: unknown, ...steps: unknown[]): unknown {
  return steps.reduce((current, step) => (current as Root).apply(step as Step<Root, unknown>), input);
}

/** A transform that is applied synchronously, or asynchronously like the transforms of other languages. */
export type AnyPTransform<A extends Root | PCollection<unknown>, B> = Step<A, B> | AsyncPTransform<A, PCollection<B>>;

/**
 * Applies a transform that may be asynchronous. Await the result before you apply the next one: the SDK treats every
 * transform that is applied in the meantime as a part of this one.
 */
export function applyAsync<A extends Root | PCollection<unknown>, B>(
  input: A,
  transform: AnyPTransform<A, B>,
): Promise<PCollection<B>> {
  // The SDK accepts both kinds; its types declare one only.
  const root: Pick<Root, "applyAsync"> = input;
  return root.applyAsync(transform as AsyncPTransform<Root, PCollection<B>>);
}
