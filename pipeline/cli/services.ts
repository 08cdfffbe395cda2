import { connect } from "node:net";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import type { OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";

/** The option of commands that use both Pub/Sub and BigQuery. */
export const mixedOption = {
  mixed: {
    type: "boolean",
    describe: "Allow an emulator for only one of Pub/Sub and BigQuery. By default this is refused as a mistake",
    default: false,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;

/** Default of `--project`. A Google Cloud project of this name belongs to somebody else. */
const EMULATOR_PROJECT = "demo-project";

/** Whether Pub/Sub is an emulator. */
export const isPubSubEmulated = (): boolean => Boolean(process.env.PUBSUB_EMULATOR_HOST);

/** Options that decide which services are Google's. Undefined options did not pass their own check. */
export interface ServiceChoice {
  readonly project?: string;
  readonly bigqueryEndpoint?: string;
  /** Undefined for a command that does not use Pub/Sub. */
  readonly mixed?: boolean;
}

/** Cross-field validation of a command that uses BigQuery, and Pub/Sub unless `mixed` is undefined. */
export function serviceProblems({ project, bigqueryEndpoint, mixed }: ServiceChoice): string[] {
  const problems: string[] = [];
  const [pubsub, bigquery] = [isPubSubEmulated(), bigqueryEndpoint !== undefined];
  if (mixed === false && pubsub && !bigquery) {
    problems.push(
      "PUBSUB_EMULATOR_HOST is set, but --bigquery-endpoint (BIGQUERY_ENDPOINT) is not, so BigQuery would be Google's. " +
        "Set both, or confirm with --mixed (MIXED)",
    );
  }
  if (mixed === false && bigquery && !pubsub) {
    problems.push(
      "--bigquery-endpoint (BIGQUERY_ENDPOINT) is set, but PUBSUB_EMULATOR_HOST is not, so Pub/Sub would be Google's. " +
        "Set both, or confirm with --mixed (MIXED)",
    );
  }
  const isAnyGoogle = !bigquery || (mixed !== undefined && !pubsub);
  if (project === EMULATOR_PROJECT && isAnyGoogle && problems.length === 0) {
    problems.push(`--project (PROJECT) is required: the default ${EMULATOR_PROJECT} is only for emulators`);
  }
  return problems;
}

/** The services that a command is about to use. */
export interface Services {
  readonly project: string;
  readonly pubsub?: boolean;
  /** The endpoint of BigQuery; undefined in it: Google's. */
  readonly bigquery?: { readonly endpoint: string | undefined };
  readonly storage?: boolean;
  /** URL that replaces Google's Dataflow API. */
  readonly dataflowEndpoint?: string | undefined;
}

/** Nothing listens at the address of an emulator. Start it, or correct the setting that the message names. */
export class EmulatorUnreachableError extends UserError {
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "EmulatorUnreachableError";
  }
}

interface Endpoint {
  readonly service: string;
  readonly setting: string;
  readonly address: string;
}

function endpointsOf({ pubsub, bigquery, storage, dataflowEndpoint }: Services): Endpoint[] {
  const candidates: [boolean | undefined, string, string, string | undefined][] = [
    [pubsub, "Pub/Sub emulator", "PUBSUB_EMULATOR_HOST", process.env.PUBSUB_EMULATOR_HOST],
    [true, "BigQuery emulator", "--bigquery-endpoint (BIGQUERY_ENDPOINT)", bigquery?.endpoint],
    [storage, "Storage emulator", "STORAGE_EMULATOR_HOST", process.env.STORAGE_EMULATOR_HOST],
    [true, "Dataflow API", "--dataflow-endpoint (DATAFLOW_ENDPOINT)", dataflowEndpoint],
  ];
  return candidates.flatMap(([used, service, setting, address]) =>
    used && address ? [{ service, setting, address }] : [],
  );
}

/** Time limit for a connection to an emulator; ms. */
const CONNECT_TIMEOUT_MS = 3000;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "unknown host name",
  EAI_AGAIN: "unknown host name",
};

/** Why no TCP connection can be opened; undefined when one can. */
async function connectProblem(address: string): Promise<string | undefined> {
  const url = /^https?:\/\//.test(address) ? address : `http://${address}`;
  if (!URL.canParse(url)) return "not a valid address";
  const { hostname, port, protocol } = new URL(url);
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80) });
    const timer = setTimeout(() => end(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`), CONNECT_TIMEOUT_MS);
    const end = (problem: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => end(undefined));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // A name with several addresses fails with an AggregateError, which has no message.
      end(REASONS[error.code ?? ""] ?? (error.message || error.code || "no connection"));
    });
  });
}

/**
 * Checks what would otherwise fail only after minutes of retries: whether something listens at the address of each
 * emulator, and whether there are credentials for the services that are Google's.
 * @throws EmulatorUnreachableError, CredentialsError
 */
export async function requireServices(services: Services): Promise<void> {
  const problems = await Promise.all(
    endpointsOf(services).map(async ({ service, setting, address }) => {
      const problem = await connectProblem(address);
      return problem === undefined
        ? []
        : [
            `Nothing answers at ${address} (${problem}), the address of the ${service} in ${setting}. ` +
              `Start it, or correct ${setting}.`,
          ];
    }),
  );
  if (problems.some((found) => found.length)) throw new EmulatorUnreachableError(problems.flat());
  const isGoogle =
    (services.pubsub && !isPubSubEmulated()) || (services.bigquery && services.bigquery.endpoint === undefined);
  if (isGoogle) await new GoogleApi(services.project).accessToken();
}
