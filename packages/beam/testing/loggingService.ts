/** The runner's side of Beam's logging service, over real gRPC on 127.0.0.1. */
import "../sdk";
import * as grpc from "@grpc/grpc-js";
import { LogEntry_Severity_Enum, type LogControl, type LogEntry_List } from "apache-beam/proto/beam_fn_api";
import { beamFnLoggingDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";

/** A log entry of a worker. */
export interface LoggedLine {
  readonly worker: string;
  /** Such as `ERROR`. */
  readonly severity: string;
  readonly message: string;
  /** The bundle that logged it; empty outside of bundles. */
  readonly instructionId: string;
}

/** A running logging service. */
export interface LoggingService {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** All entries so far. */
  readonly lines: readonly LoggedLine[];
  /** Cuts all connections. */
  stop(): void;
}

/** Starts a logging service on a free port. */
export async function startLoggingService(): Promise<LoggingService> {
  const server = new grpc.Server();
  const lines: LoggedLine[] = [];
  server.addService(beamFnLoggingDefinition, {
    logging: (call: grpc.ServerDuplexStream<LogEntry_List, LogControl>) => {
      const worker = call.metadata.get("worker_id").join();
      call.on("error", () => {});
      call.on("data", ({ logEntries }: LogEntry_List) => {
        for (const { severity, message, instructionId } of logEntries) {
          lines.push({ worker, severity: LogEntry_Severity_Enum[severity], message, instructionId });
        }
      });
      call.on("end", () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { address: `127.0.0.1:${port}`, lines, stop: () => server.forceShutdown() };
}
