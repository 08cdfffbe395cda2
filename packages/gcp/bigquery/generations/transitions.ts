import type { BigQuery } from "@google-cloud/bigquery";
import { UserError } from "@eventlogger/process/main";
import type { Generation } from "./generation";
import { readGeneration } from "./readGenerations";
import { changeGenerations, generationsReference } from "./statements";

/** A generation cannot get the wanted status from the one that it has. The message tells why. */
export class GenerationTransitionError extends UserError {
  constructor(dataset: string, wanted: string, reason: string) {
    super(`Cannot ${wanted} of dataset ${dataset}: ${reason}`);
    this.name = "GenerationTransitionError";
  }
}

export interface ActivateOptions {
  /** Whether the generation that was active is computed further, for a comparison. @default false: it is retired */
  readonly keepOld?: boolean | undefined;
  /** Whether a retired generation that was active before may become active again. @default false */
  readonly fromRetired?: boolean | undefined;
}

/** Why a generation cannot be activated; undefined when it can. */
function activationProblem(found: Generation | undefined, { fromRetired }: ActivateOptions): string | undefined {
  if (!found) return "it does not exist";
  if (found.status !== "retired") return undefined;
  if (found.activatedAt === null) return "it was aborted before its numbers were complete";
  return fromRetired ? undefined : `it was retired at ${found.retiredAt}`;
}

/**
 * Makes a generation the one that readers see, and retires the one that was active, in one statement. Changes nothing when it is
 * active already.
 * @throws GenerationTransitionError; Error that names the missing permission, or the client's error
 */
export async function activateGeneration(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
  options: ActivateOptions = {},
): Promise<void> {
  const { keepOld = false, fromRetired = false } = options;
  const found = await readGeneration(bigquery, dataset, generation);
  const problem = activationProblem(found, options);
  const wanted = `activate generation ${generation}`;
  if (problem !== undefined) throw new GenerationTransitionError(dataset, wanted, problem);
  if (found?.status === "active") return;
  const table = generationsReference(bigquery, dataset);
  const from = fromRetired
    ? "(status = 'building' OR status = 'retired' AND activated_at IS NOT NULL)"
    : "status = 'building'";
  const changed = await changeGenerations(
    bigquery,
    dataset,
    `UPDATE ${table} SET
       status = IF(generation = @generation, 'active', '${keepOld ? "building" : "retired"}'),
       activated_at = IF(generation = @generation, CURRENT_TIMESTAMP(), IFNULL(activated_at, created_at)),
       retired_at = ${keepOld ? "NULL" : "IF(generation = @generation, NULL, CURRENT_TIMESTAMP())"}
     WHERE (generation = @generation AND ${from} OR generation != @generation AND status = 'active')
       AND EXISTS (SELECT 1 FROM ${table} WHERE generation = @generation AND ${from})`,
    { generation },
  );
  if (changed === 0) throw new GenerationTransitionError(dataset, wanted, "another command has changed it meanwhile");
}

/**
 * Retires a generation that is not active: its pipeline stops, and its id is never used again. Changes nothing when it is retired already.
 * @throws GenerationTransitionError when it is active; Error that names the missing permission, or the client's error
 */
export async function retireGeneration(bigquery: BigQuery, dataset: string, generation: number): Promise<void> {
  const changed = await changeGenerations(
    bigquery,
    dataset,
    `UPDATE ${generationsReference(bigquery, dataset)} SET status = 'retired', retired_at = CURRENT_TIMESTAMP()
     WHERE generation = @generation AND status = 'building'`,
    { generation },
  );
  if (changed > 0) return;
  const found = await readGeneration(bigquery, dataset, generation);
  if (found?.status === "retired") return;
  const reason = found
    ? "it is active, and readers would see no numbers. Activate another one first"
    : "it does not exist";
  throw new GenerationTransitionError(dataset, `retire generation ${generation}`, reason);
}
