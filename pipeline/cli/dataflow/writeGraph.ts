import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDuration } from "@eventlogger/options/options";
import { graphDot } from "../../runners/dataflow/graph/graphDot";
import { graphHtml } from "../../runners/dataflow/graph/graphHtml";
import { pipelineGraph } from "../../runners/dataflow/graph/pipelineGraph";
import type { JobTarget } from "./jobTarget";
import type { LaunchOptions } from "./launchOptions";

/** Writes the graph of a job as a page, `graph.html`, and in the DOT language, `graph.dot`. @param proto the encoded pipeline */
export function writeGraph(dir: string, o: LaunchOptions, target: JobTarget, proto: Uint8Array): void {
  const graph = pipelineGraph(proto);
  const title = `Job ${target.jobName}`;
  const steps = graph.nodes.filter(({ isComposite }) => !isComposite);
  const facts = [
    ["Project", o.project],
    ["Region", o.region],
    ["Dataset", o.dataset],
    ["Image", o.image],
    ["Steps", `${steps.length}, of which ${steps.filter(({ keeps }) => keeps !== null).length} keep something`],
    ["Session gap", formatDuration(target.sessionGapMs)],
    ["Time zone", target.timeZone],
  ] as const;
  writeFileSync(join(dir, "graph.html"), graphHtml(graph, { title, facts }));
  writeFileSync(join(dir, "graph.dot"), graphDot(graph, title));
}
