import "../sdk";
import { format } from "node:util";
import grpc = require("@grpc/grpc-js");
import { LogEntry, LogEntry_List, LogEntry_Severity_Enum as Severity } from "apache-beam/proto/beam_fn_api";
import { BeamFnLoggingClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { loggingLocalStorage } from "apache-beam/worker/logging";

/** Lines that wait for the runner, at most: what a worker says must not fill its memory. */
const MAX_WAITING = 10_000;
const MAX_BATCH = 500;
const SEND_EVERY_MS = 100;
/** How long a close waits for the runner to take what is left. */
const CLOSE_WITHIN_MS = 2000;

const SEVERITIES = {
  log: Severity.INFO,
  info: Severity.INFO,
  warn: Severity.WARN,
  error: Severity.ERROR,
} as const;

/** Sends what is said on the console to a runner, which shows it among the logs of the job. */
export interface LogForwarding {
  /** Says something that ends the worker. */
  critical(message: string): void;
  /** Sends what is left, at most 2 s long, and stops. */
  close(): Promise<void>;
}

/**
 * Sends what is said on the console to the logging service of a runner, with the bundle and step that said it. It is
 * still printed as well. When the stream breaks, it is only printed from then on.
 *
 * @param endpoint `host:port`
 */
export function forwardLogs(workerId: string, endpoint: string): LogForwarding {
  const metadata = new grpc.Metadata();
  metadata.add("worker_id", workerId);
  const client = new BeamFnLoggingClient(endpoint, grpc.ChannelCredentials.createInsecure(), {}, {});
  const stream = client.logging(metadata);
  const printError = console.error.bind(console);
  let waiting: LogEntry[] = [];
  let dropped = 0;
  let writable = true;
  let broken = false;
  const over = new Promise<void>((resolve) => {
    stream.on("error", (error: Error) => {
      if (!broken) printError(`The runner takes no more logs: ${error.message}`);
      broken = true;
      resolve();
    });
    stream.on("end", resolve);
  });
  stream.on("drain", () => (writable = true));
  stream.resume(); // the runner says nothing of interest

  const add = (severity: Severity, message: string): void => {
    if (broken) return;
    if (waiting.length >= MAX_WAITING) {
      dropped++;
      return;
    }
    const stage = loggingLocalStorage.getStore() as { instructionId?: string; transformId?: string } | undefined;
    const now = Date.now();
    waiting.push(
      LogEntry.create({
        severity,
        message,
        timestamp: { seconds: BigInt(Math.floor(now / 1000)), nanos: (now % 1000) * 1e6 },
        instructionId: stage?.instructionId,
        transformId: stage?.transformId,
      }),
    );
  };
  const send = (): void => {
    while (waiting.length && writable && !broken) {
      writable = stream.write(LogEntry_List.create({ logEntries: waiting.splice(0, MAX_BATCH) }));
    }
    if (dropped && !waiting.length) {
      const lines = dropped;
      dropped = 0;
      add(Severity.WARN, `${lines} log lines were dropped: the runner took them too slowly`);
    }
    if (broken) waiting = [];
  };
  const timer = setInterval(send, SEND_EVERY_MS);
  timer.unref();

  for (const method of Object.keys(SEVERITIES) as (keyof typeof SEVERITIES)[]) {
    const print = console[method].bind(console);
    console[method] = (...args: unknown[]) => {
      print(...args);
      add(SEVERITIES[method], format(...args));
    };
  }
  return {
    critical: (message) => {
      printError(message);
      add(Severity.CRITICAL, message);
    },
    close: async () => {
      clearInterval(timer);
      const deadline = Date.now() + CLOSE_WITHIN_MS;
      while (waiting.length && !broken && Date.now() < deadline) {
        send();
        if (waiting.length) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      stream.end();
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, Math.max(0, deadline - Date.now())))]);
      broken = true;
      client.close();
    },
  };
}
