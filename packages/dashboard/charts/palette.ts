/** The colours of charts, from the style sheet: canvases cannot use its variables. */
export interface Palette {
  readonly line: string;
  readonly fill: string;
  readonly before: string;
  readonly beforeFill: string;
  readonly axis: string;
  readonly grid: string;
  readonly font: string;
}

export function readPalette(root: Element = document.documentElement): Palette {
  const style = getComputedStyle(root);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    line: color("chart-line"),
    fill: color("chart-fill"),
    before: color("chart-before"),
    beforeFill: color("chart-before-fill"),
    axis: color("text-soft"),
    grid: color("chart-grid"),
    font: `12px ${style.getPropertyValue("--font").trim()}`,
  };
}
