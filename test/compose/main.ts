/**
 * `npm run test:compose`: builds the images of docker-compose.yml, starts all services on a Docker Engine, and compares the
 * rollups with brute force while replicas are killed, added and removed; then the same with the pipeline on a Flink cluster. Takes about twelve minutes.
 * The arguments `compose` and `cluster` select one of the two.
 */
import { join } from "node:path";
import { createAccessToken } from "@eventlogger/beam/accessToken";
import { runOnEngine, runTestsOnEngine, type EngineSession } from "../engine/runOnEngine";
import { BUILD_STEP } from "@eventlogger/tools/images/build";
import { freePorts } from "@eventlogger/process/ports";
import { UserError } from "@eventlogger/process/main";
import { compose, ensureCompose, type ComposeClient } from "./compose";

const DOCKERFILES = ["ingest/Dockerfile", "nginx/Dockerfile", "local/Dockerfile"];

/** Files of tests, in order. */
const TESTS = ["compose", "cluster"];

let client: ComposeClient | undefined;
let environment: Readonly<Record<string, string>> = {};

async function buildAndTest(session: EngineSession): Promise<boolean> {
  const { engine, tag, say } = session;
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !TESTS.includes(name));
  if (unknown !== undefined) throw new UserError(`"${unknown}" is not one of ${TESTS.join(", ")}`);
  client = await ensureCompose(engine, say);
  const [port, pubsub, bigquery] = (await freePorts(3)).map(String) as [string, string, string];
  environment = {
    COMPOSE_PROJECT_NAME: `eventlogger-${tag}`,
    TAG: tag,
    PORT: port,
    PUBSUB_PORT: pubsub,
    BIGQUERY_PORT: bigquery,
    BEAM_ACCESS_TOKEN: createAccessToken(),
  };
  const onLine = (line: string): void => {
    if (BUILD_STEP.test(line)) say(`  ${line}`);
  };
  say("building the images");
  await compose(client, ["build"], { env: { ...engine.env, ...environment }, onLine });
  say("built the images");
  const env = { ...environment, COMPOSE_CLIENT: client.join(" ") };
  let hasPassed = true;
  for (const name of TESTS.filter((one) => wanted.length === 0 || wanted.includes(one))) {
    hasPassed = (await runTestsOnEngine(session, join(__dirname, `${name}.engine.js`), env)) && hasPassed;
  }
  return hasPassed;
}

async function cleanUp({ engine }: EngineSession): Promise<void> {
  if (!client) return;
  const env = { ...engine.env, ...environment };
  await compose(client, ["down", "--volumes", "--rmi", "all"], { env }).catch(() => {});
}

runOnEngine(DOCKERFILES, buildAndTest, cleanUp);
