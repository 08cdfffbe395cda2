#!/usr/bin/env node
/**
 * Prints the Node options of a worker in a container: `--max-old-space-size=MIB`. `npx` runs it before the worker, with the
 * arguments of the worker. All workers of a machine share its memory, and Node's own limit, up to 4 GiB for each process,
 * would let them use more than there is.
 */
import { availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";

const MIB = 1024 * 1024;
/**
 * Memory that is not for the workers when they share the machine with other programs, as on Dataflow: the system and the
 * runner use up to 1 GB (https://cloud.google.com/dataflow/docs/guides/troubleshoot-oom), and a Java worker for the sources
 * and sinks runs beside them, whose boot program gives it 1 GiB of heap by default.
 */
const SHARED_RESERVE_BYTES = 2560 * MIB;
/** The workers get at least this share of the memory of a small machine. */
const MIN_SHARE = 0.4;
/** The part of the memory of a worker that its old generation may use. The rest: young generation, buffers and code. */
const HEAP_PART = 0.75;
/** A worker does not start with less; MiB. */
const MIN_HEAP_MIB = 192;
/** More than a worker needs: the cache of state takes at most 512 MiB; MiB. */
const MAX_HEAP_MIB = 4096;

/** The memory for all workers of this machine or container. */
export interface ContainerMemory {
  /** Memory of the machine, bytes. */
  readonly totalBytes: number;
  /** Limit of the container, bytes; undefined: none of its own, so that it shares the machine. */
  readonly limitBytes: number | undefined;
}

function experimentsOf(options: Readonly<Record<string, unknown>>): unknown[] {
  const experiments = options["beam:option:experiments:v1"] ?? options["experiments"];
  return Array.isArray(experiments) ? experiments : [];
}

/**
 * Number of workers on this machine: by default one for each CPU, as on Dataflow; one with the experiment
 * `no_use_multiple_sdk_containers`.
 * @param optionsJson the pipeline options that boot passes on; with the names of the portable API or of Dataflow
 */
export function siblingWorkers(optionsJson: string, cpus: number): number {
  const all = JSON.parse(optionsJson) as Readonly<Record<string, unknown>>;
  const options = (all["options"] ?? all) as Readonly<Record<string, unknown>>;
  return experimentsOf(options).includes("no_use_multiple_sdk_containers") ? 1 : Math.max(1, cpus);
}

/** Limit of the old generation of each worker, MiB. */
export function heapLimitMib({ totalBytes, limitBytes }: ContainerMemory, workers: number): number {
  const forWorkers = limitBytes ?? Math.max(totalBytes - SHARED_RESERVE_BYTES, totalBytes * MIN_SHARE);
  const each = (forWorkers * HEAP_PART) / workers / MIB;
  return Math.min(MAX_HEAP_MIB, Math.max(MIN_HEAP_MIB, Math.floor(each)));
}

function containerMemory(): ContainerMemory {
  const totalBytes = totalmem();
  // 0, or more than the machine has, without a limit.
  const limit = process.constrainedMemory();
  return { totalBytes, limitBytes: limit > 0 && limit < totalBytes ? limit : undefined };
}

function main(): void {
  const { values } = parseArgs({ args: process.argv.slice(2), strict: false });
  const options = values["options"];
  const workers = siblingWorkers(typeof options === "string" && options ? options : "{}", availableParallelism());
  process.stdout.write(`--max-old-space-size=${heapLimitMib(containerMemory(), workers)}\n`);
}

if (require.main === module) main();
