import { el } from "./elements";

/** How a line or a bar of a chart looks. */
export type Mark = "now" | "partial" | "before";

/** The keys of a chart. */
export function legend(keys: readonly (readonly [mark: Mark, text: string])[]): HTMLElement[] {
  return keys.map(([mark, text]) => el("span", { class: `key key-${mark}` }, text));
}
