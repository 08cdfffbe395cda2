import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { identifyProcess, isRunning } from "@eventlogger/process/processIdentity";
import { UserError } from "@eventlogger/process/main";

/** The process that runs a rebuild. */
export interface Owner {
  /** Random, so that two owners are never equal. */
  readonly id: string;
  readonly host: string;
  /** Names the set of process ids; two containers can have the same host name. Empty where the system has no such name. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Start of the process as the system reports it. */
  readonly started: string;
  /** Another process may take the rebuild over from then on, by BigQuery's clock; ISO 8601. */
  readonly expiresAt: string;
}

/** Another process runs the rebuild. Wait for its end, or stop it. */
export class RebuildRunningError extends UserError {
  constructor(generation: number, { host, pid, expiresAt }: Owner) {
    super(
      `Another process runs the rebuild of generation ${generation}: process ${pid} on ${host}. Wait for its end, or stop it with ` +
        `Ctrl-C. If it no longer exists, the same command goes on after ${expiresAt}`,
    );
    this.name = "RebuildRunningError";
  }
}

/** Another process has taken the rebuild over, because this one did not reach BigQuery for too long. It goes on there. */
export class RebuildLostError extends UserError {
  constructor(generation: number) {
    super(
      `Another process has taken over the rebuild of generation ${generation}, or its row was changed by hand. This one stops`,
    );
    this.name = "RebuildLostError";
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** This process as an owner. @param expiresAt ISO 8601 */
export function thisProcess(expiresAt: string): Owner {
  const started = identifyProcess(process.pid)?.started ?? "";
  return {
    id: randomUUID(),
    host: hostname(),
    pidNamespace: pidNamespace(),
    pid: process.pid,
    started,
    expiresAt,
  };
}

/** Whether a rebuild can be taken over from its owner: its time is over, or it ran on this machine and has ended. @param nowMs epoch ms */
export function isGone(owner: Owner, nowMs: number): boolean {
  if (Date.parse(owner.expiresAt) <= nowMs) return true;
  if (owner.host !== hostname() || owner.pidNamespace !== pidNamespace()) return false;
  return !isRunning({ pid: owner.pid, started: owner.started });
}
