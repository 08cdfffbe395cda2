import "./sdk";
import "./coders/register";
import { globalRegistry } from "apache-beam/coders/coders";
import { SDK_VERSION } from "./version";

/**
 * Protocols that workers of this library keep, of those in Beam's beam_runner_api.proto (StandardProtocols). Flink's runner
 * does not read them. Dataflow picks by them how it reports, caches, drains and starts workers.
 */
const PROTOCOLS = [
  // A process uses one core; further processes in the same container use the others.
  "beam:protocol:sibling_workers:v1",
  "beam:protocol:progress_reporting:v1",
  "beam:protocol:harness_monitoring_infos:v1",
  "beam:protocol:monitoring_info_short_ids:v1",
  // User state stays in the worker between bundles with the same token.
  "beam:protocol:state_caching:v1",
  // A drain asks splittable DoFns how much of each restriction they still have to read.
  "beam:transform:sdf_truncate_sized_restrictions:v1",
];

/** The coders of the Beam model that workers know: those that are registered, so that a new one is declared as well. */
export function coderCapabilities(): string[] {
  const { internal_registry: coders } = globalRegistry() as unknown as { internal_registry: Record<string, unknown> };
  // The SDK's own coders end in "js": only it uses them.
  return Object.keys(coders).filter((urn) => /^beam:coder:\w+:v\d+$/.test(urn) && !/js:v\d+$/.test(urn));
}

/** What runners may expect of the workers of this library, for the environment of a pipeline; sorted. */
export function workerCapabilities(): string[] {
  const version = `beam:version:sdk_base:apache/beam_typescript_sdk:${SDK_VERSION}`;
  return [...PROTOCOLS, ...coderCapabilities(), version].sort();
}
