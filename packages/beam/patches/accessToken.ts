/**
 * Adds the access token of the run to every call of a worker to its runner. The SDK has no way to add a header. Only the
 * clients of the Fn API send it: other clients of the process, such as those of Google Cloud, must not.
 */
import { Metadata } from "@grpc/grpc-js";
import {
  BeamFnControlClient,
  BeamFnDataClient,
  BeamFnLoggingClient,
  BeamFnStateClient,
} from "apache-beam/proto/beam_fn_api.grpc-client";
import { ACCESS_TOKEN_HEADER, ACCESS_TOKEN_VARIABLE } from "../accessToken";

const METHODS = ["makeUnaryRequest", "makeBidiStreamRequest"] as const;

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** Patch `accessToken`: does nothing without the environment variable. */
export function patchAccessToken(): void {
  const token = process.env[ACCESS_TOKEN_VARIABLE];
  if (!token) return;
  for (const client of [BeamFnControlClient, BeamFnDataClient, BeamFnLoggingClient, BeamFnStateClient]) {
    const prototype = client.prototype as unknown as Record<(typeof METHODS)[number], Call>;
    for (const method of METHODS) {
      const original = prototype[method];
      prototype[method] = function (this: unknown, ...args) {
        const at = args.findIndex((arg) => arg instanceof Metadata);
        const metadata = at < 0 ? new Metadata() : (args[at] as Metadata).clone();
        metadata.set(ACCESS_TOKEN_HEADER, token);
        // Without metadata it follows the path, two functions, and the message of a unary call.
        if (at < 0) args.splice(method === "makeUnaryRequest" ? 4 : 3, 0, metadata);
        else args[at] = metadata;
        return original.apply(this, args);
      };
    }
  }
}
