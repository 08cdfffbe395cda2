import "../sdk";
import { format } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { LogEntry, LogEntry_List, LogEntry_Severity_Enum as Severity } from "apache-beam/proto/beam_fn_api";
import { BeamFnLoggingClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { loggingLocalStorage } from "apache-beam/worker/logging";
import { currentStep } from "../metrics/steps";
import { waitUntil, withTimeout } from "@eventlogger/process/wait";

/** Maximum number of lines that wait for the runner, so that logs do not fill the memory. */
const MAX_WAITING = 10_000;
const MAX_BATCH = 500;
const SEND_EVERY_MS = 100;
/** Time limit for sending the remaining lines at the end, ms. */
const CLOSE_TIMEOUT_MS = 2000;

const SEVERITIES = {
  log: Severity.INFO,
  info: Severity.INFO,
  warn: Severity.WARN,
  error: Severity.ERROR,
} as const;

/** Sends console output to a runner, which shows it in the logs of the job. */
export interface LogForwarding {
  /** Logs the error that stops the worker. */
  critical(message: string): void;
  /** Sends the remaining lines, for at most 2 s, and stops. */
  close(): Promise<void>;
}

/**
 * Sends console output to the logging service of a runner, with its bundle and step. The output is still printed. When
 * the stream breaks, it is only printed from then on.
 *
 * @param endpoint `host:port` of the logging service
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
      if (!broken) printError(`Cannot send logs to the runner any more: ${error.message}`);
      broken = true;
      resolve();
    });
    stream.on("end", resolve);
  });
  stream.on("drain", () => (writable = true));
  stream.resume(); // messages of the runner are ignored

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
        transformId: currentStep()?.transformId ?? stage?.transformId,
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
      add(Severity.WARN, `${lines} log lines were dropped because the runner accepts them too slowly`);
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
      const sendAll = async (): Promise<void> => {
        const sent = (): boolean => (send(), waiting.length === 0 || broken);
        await waitUntil("the runner to accept the logs", sent, { timeoutMs: CLOSE_TIMEOUT_MS, intervalMs: 20 });
        stream.end();
        await over;
      };
      await withTimeout(sendAll(), CLOSE_TIMEOUT_MS, "sending the last logs").catch(() => stream.end());
      broken = true;
      client.close();
    },
  };
}
