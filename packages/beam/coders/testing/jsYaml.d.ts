/** The part of js-yaml that the tests use; the package has no types. */
declare module "js-yaml" {
  export interface Type {
    readonly tag: string;
  }
  export const Type: new (
    tag: string,
    options: {
      kind: "scalar" | "sequence" | "mapping";
      resolve(data: unknown): boolean;
      construct(data: string): unknown;
    },
  ) => Type;
  export interface Schema {
    extend(definition: { implicit: readonly Type[] }): Schema;
  }
  export const DEFAULT_SCHEMA: Schema;
  export function loadAll(text: string, iterator: null, options: { schema: Schema }): unknown[];
}
