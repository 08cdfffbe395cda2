import { problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { bucketPermissions, getBucket, parseGsUrl } from "@eventlogger/gcp/storage/client";

/** Permissions on a bucket that the launch of a job needs. */
const REQUIRED = ["storage.objects.create", "storage.objects.get", "storage.objects.list"];

/** Whether a bucket is in a single region other than that of the workers. */
function isInOtherRegion(location: string, region: string): boolean {
  return location.includes("-") && location.toLowerCase() !== region.toLowerCase();
}

/**
 * Checks that the bucket of a `gs://` location exists and that the caller can use it. The workers' service account needs
 * the same permissions, which the caller cannot check.
 * @throws CredentialsError, GoogleApiError: then the check has no result
 */
export async function checkBucket(
  api: GoogleApi,
  { location, region }: { location: string; region: string },
  signal: AbortSignal,
): Promise<Diagnostics> {
  const bucket = parseGsUrl(location)?.bucket;
  if (bucket === undefined) {
    return problem(`${location} is not a location in Cloud Storage such as gs://bucket/folder`);
  }
  const held = await bucketPermissions(api, bucket, REQUIRED, signal);
  if (!held) {
    return problem(`Bucket gs://${bucket} does not exist. Create it: \`eventlogger setup --bucket gs://${bucket}\``);
  }
  const lacking = REQUIRED.filter((permission) => !held.has(permission));
  if (lacking.length) return problem(`Permissions are missing on bucket gs://${bucket}: ${lacking.join(", ")}`);
  const warnings: string[] = [];
  const found = await getBucket(api, bucket, signal).catch((error: unknown) => {
    // The permission to read the settings of a bucket is not required to use it.
    if (error instanceof GoogleApiError && error.status === 403) return undefined;
    throw error;
  });
  if (found?.location && isInOtherRegion(found.location, region)) {
    warnings.push(
      `Bucket gs://${bucket} is in ${found.location}, but the workers are in ${region}: traffic costs more`,
    );
  }
  if (found?.lifecycle?.rule?.some((rule) => rule.action?.type === "Delete")) {
    warnings.push(
      `A lifecycle rule deletes objects of bucket gs://${bucket}, but new workers need the staged files as long as the ` +
        "job runs",
    );
  }
  return { problems: [], warnings };
}
