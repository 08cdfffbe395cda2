import type { Formats } from "../numbers/format";
import type { Days } from "../view/period";
import type { View } from "../view/view";

/** What every part of the page needs to show numbers. */
export interface Context {
  readonly view: View;
  readonly formats: Formats;
  /** The days of the range. */
  readonly period: Days;
  /** Epoch day in the zone of the numbers. */
  readonly today: number;
}

/** Changes the view. */
export type ChangeView = (change: Partial<View>) => void;
