/**
 * Patches the message size limit of grpc-js: 4 MB by default, and the SDK does not set another one. A bundle hangs when
 * the runner sends more (the state of a large key, a full data buffer). Every endpoint of a worker belongs to its runner,
 * which is trusted, so the patch removes the limit.
 */
import constants = require("@grpc/grpc-js/build/src/constants");

/** Patch `messageSize`. */
export function patchMessageSize(): void {
  (constants as { DEFAULT_MAX_RECEIVE_MESSAGE_LENGTH: number }).DEFAULT_MAX_RECEIVE_MESSAGE_LENGTH = -1;
}
