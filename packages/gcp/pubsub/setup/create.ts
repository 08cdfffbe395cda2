import type { PubSub } from "@google-cloud/pubsub";
import { withPermission } from "../../api/permission";
import { createUnlessThere } from "../../setup/setupStep";

const ALREADY_EXISTS = 6; // gRPC

/**
 * Makes something on Pub/Sub unless it is there.
 * @param resource such as `topic events`
 */
export function create(
  pubsub: PubSub,
  permission: string,
  resource: string,
  make: () => Promise<unknown>,
): Promise<"created" | "exists"> {
  return allowed(pubsub, permission, resource, () => createUnlessThere(make, ALREADY_EXISTS));
}

/** A call that names the permission it needs when it is missing. */
export function allowed<T>(
  { projectId: project }: PubSub,
  permission: string,
  resource: string,
  call: () => Promise<T>,
): Promise<T> {
  return withPermission({ project, permission, resource }, call);
}
