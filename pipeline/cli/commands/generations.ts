import { existsSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import {
  activateGeneration,
  GenerationTransitionError,
  isRunning,
  readActiveGeneration,
  readGeneration,
  readGenerations,
  type Generation,
} from "@eventlogger/gcp/bigquery/generations";
import { generationTotals } from "@eventlogger/gcp/bigquery/generations/generationTotals";
import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { ConfigError, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { colours } from "@eventlogger/options/terminal";
import { activationProblems } from "../../generations/activationProblems";
import { CHECK_LEASE_FILE } from "../../runners/flink/generationDirectory";
import { locationOptions } from "../dataflow/jobOptions";
import { generationDocument, generationLines } from "../generationLines";
import { jsonOption, progressOutput, writeResult } from "../output";
import { mixedOption, requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

const options = {
  ...projectOption,
  ...bigqueryOptions,
  ...mixedOption,
  dataflowEndpoint: locationOptions.dataflowEndpoint,
  keepOld: {
    type: "boolean",
    describe: "activate: go on computing the generation that was active, so that it can be activated again",
    default: false,
    group: "Generations:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

type Values = Options<typeof options>;

/** @throws ConfigError when the argument is not the number of a generation */
function generationNumber(argument: string | undefined): number {
  const number = Number(argument);
  if (argument !== undefined && /^\d{1,7}$/.test(argument) && number >= 1) return number;
  throw new ConfigError([
    `generations activate must be followed by the number of a generation${argument === undefined ? "" : `, not ${JSON.stringify(argument)}`}`,
  ]);
}

async function list(o: Values): Promise<number> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const rows = await readGenerations(bigquery, o.dataset);
  const totals = rows.length ? await generationTotals(bigquery, o.dataset) : new Map<number, never>();
  const listed = rows.map((row) => ({ row, totals: totals.get(row.generation) }));
  const lines = rows.length
    ? generationLines(listed)
    : [`Dataset ${o.dataset} has no generation. The first start of the pipeline creates it`];
  writeResult(o.json, { generations: listed.map(generationDocument) }, lines);
  return 0;
}

/** Asks the run of a generation on this machine to notice that the generation was retired. */
function askToCheckLease({ job }: Generation): void {
  if (job?.runner !== "flink" || job.host !== hostname() || !existsSync(job.stateDirectory)) return;
  writeFileSync(path.join(job.stateDirectory, CHECK_LEASE_FILE), "");
}

async function activate(o: Values, generation: number): Promise<number> {
  const { project, dataset, keepOld, dataflowEndpoint } = o;
  const bigquery = bigQueryClient({ project, endpoint: o.bigqueryEndpoint });
  const [found, previous] = await Promise.all([
    readGeneration(bigquery, dataset, generation),
    readActiveGeneration(bigquery, dataset),
  ]);
  const isActive = found?.status === "active";
  if (found && isUnfinished(found)) {
    throw new GenerationTransitionError(dataset, `activate generation ${generation}`, UNFINISHED);
  }
  if (found && !isActive && !isAborted(found)) {
    const pubsub = pubSubClient({ project });
    try {
      const problems = await activationProblems(found, { pubsub, project, dataflowEndpoint });
      if (problems.length) {
        throw new GenerationTransitionError(dataset, `activate generation ${generation}`, problems.join("; "));
      }
    } finally {
      await pubsub.close();
    }
  }
  await activateGeneration(bigquery, dataset, generation, { keepOld, fromRetired: true });
  if (previous && !isActive && !keepOld) askToCheckLease(previous);
  const { green } = colours(progressOutput(o.json));
  const ended =
    previous && !isActive
      ? `; generation ${previous.generation} ${keepOld ? "is computed further" : "is retired"}`
      : "";
  const next =
    found && !isRunning(found) && found.job?.runner === "flink" ? ["Start its pipeline: `eventlogger run`"] : [];
  writeResult(o.json, { active: generation, previous: isActive ? null : (previous?.generation ?? null) }, [
    `${green("active")} generation ${generation}${isActive ? " (it was active already)" : ended}`,
    ...next,
  ]);
  return 0;
}

const UNFINISHED = "its numbers are not complete yet. The rebuild that makes it activates it: `eventlogger rebuild`";

/** Whether a rebuild has not activated the generation yet. */
const isUnfinished = ({ status, activatedAt }: Generation): boolean => status === "building" && activatedAt === null;

/** Then `activateGeneration` tells why, whatever still exists of it. */
const isAborted = ({ status, activatedAt }: Generation): boolean => status === "retired" && activatedAt === null;

export const generationsCommand = defineCommand({
  details:
    "list, which is the default, shows the definitions of each generation, how much it has counted, and what computes it. " +
    "activate N shows generation N to readers, in one step, and retires the one that they saw. It is refused when nothing can " +
    "go on computing generation N: when its job, its subscription or its state no longer exists.",
  actions: ["list", "activate"],
  isActionOptional: true,
  argumentOf: { activate: "N" },
  options,
  examples: [
    ["$0 generations --project my-project", "lists the generations of the dataset analytics"],
    ["$0 generations list --project my-project --json", "prints JSON"],
    ["$0 generations activate 1 --project my-project", "switches readers back to generation 1"],
    [
      "$0 generations activate 1 --keep-old --project my-project",
      "switches back, and goes on computing the other generation for a comparison",
    ],
  ],
  check: ({ project, bigqueryEndpoint, mixed }) => serviceProblems({ project, bigqueryEndpoint, mixed }),
  async run(o, action, [argument]) {
    const isActivation = action === "activate";
    const generation = isActivation ? generationNumber(argument) : undefined;
    await requireServices({ ...o, pubsub: isActivation, bigquery: { endpoint: o.bigqueryEndpoint } });
    return generation === undefined ? list(o) : activate(o, generation);
  },
});
