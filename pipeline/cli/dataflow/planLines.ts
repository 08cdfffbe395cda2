import type { UpdatePlan } from "../../runners/dataflow/update/updatePlan";
import type { Output } from "@eventlogger/options/terminal";
import { colours } from "@eventlogger/options/terminal";

/** The effect of an update on the steps, one line each. */
export function planLines({ renamed, added, removed, losses, wrongMappings }: UpdatePlan, output: Output): string[] {
  const { red, green, yellow, dim } = colours(output);
  if (renamed.length + added.length + removed.length + losses.length + wrongMappings.length === 0) {
    return [dim("steps: no changes from the running job")];
  }
  return [
    ...renamed.map(({ from, to }) => `${green("renamed")} ${from} -> ${to}`),
    ...added.map((name) => `${green("added")}   ${name}`),
    ...removed.map((name) => `${yellow("removed")} ${name}`),
    ...losses.map((loss) => `${red("loses")}   ${loss}`),
    ...wrongMappings.map((wrong) => `${red("mapping")} ${wrong}`),
  ];
}
