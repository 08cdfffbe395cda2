import { isAlreadyExists } from "../api/errorCode";
import { withPermission, type Need } from "../api/permission";

/**
 * Creates a resource unless it exists, even if another process created it a moment ago.
 * @throws Error that names the missing permission; otherwise the client's error
 */
export async function createUnlessExists(need: Need, create: () => Promise<unknown>): Promise<"created" | "exists"> {
  try {
    await withPermission(need, create);
    return "created";
  } catch (error) {
    if (isAlreadyExists(error)) return "exists";
    throw error;
  }
}
