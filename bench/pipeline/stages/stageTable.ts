import { formatTable } from "../../figures";

/**
 * CPU time by stage as a table.
 * @param times ms, most first
 */
export function stageTable(title: string, times: Iterable<readonly [string, number]>, events: number): string {
  const rows = [...times];
  const total = rows.reduce((sum, [, ms]) => sum + ms, 0);
  const row = (name: string, ms: number): string[] => [
    name,
    ((ms * 1000) / events).toFixed(1),
    `${Math.round((100 * ms) / total)} %`,
  ];
  return formatTable([[title, "CPU s/M", "share"], ...rows.map(([name, ms]) => row(name, ms)), row("all", total)]);
}
