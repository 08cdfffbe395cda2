/**
 * Mends: grpc-js refuses messages over 4 MB by default and the SDK passes no limit, so a runner that sends more (state of
 * a large key, a full data buffer) leaves the bundle hanging. All endpoints of a worker are its own runner, so the limit
 * is lifted.
 */
import constants = require("@grpc/grpc-js/build/src/constants");

export function patchMessageSize(): void {
  (constants as { DEFAULT_MAX_RECEIVE_MESSAGE_LENGTH: number }).DEFAULT_MAX_RECEIVE_MESSAGE_LENGTH = -1;
}
