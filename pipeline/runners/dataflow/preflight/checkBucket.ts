import type { Findings } from "@eventlogger/gcp/diagnostics";
import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { bucketPermissions, getBucket, parseGsUrl } from "@eventlogger/gcp/storage/client";

/** What launching a job does in its bucket. */
const NEEDED = ["storage.objects.create", "storage.objects.get", "storage.objects.list"];

/** Whether a bucket is far from the workers: both are single regions, and other ones. */
function isElsewhere(location: string, region: string): boolean {
  return location.includes("-") && location.toLowerCase() !== region.toLowerCase();
}

/**
 * Whether the bucket of a `gs://` location is there and can be used by the caller. The workers' service account needs as
 * much, which the caller cannot find out.
 * @throws CredentialsError, GoogleApiError: then nothing is known
 */
export async function checkBucket(
  api: GoogleApi,
  { location, region }: { location: string; region: string },
  signal: AbortSignal,
): Promise<Findings> {
  const bucket = parseGsUrl(location)?.bucket;
  if (bucket === undefined) {
    return { problems: [`${location} is no location in Cloud Storage (gs://bucket/folder)`], warnings: [] };
  }
  const held = await bucketPermissions(api, bucket, NEEDED, signal);
  if (!held) {
    const problem = `There is no bucket gs://${bucket}. Make it: \`eventlogger setup --bucket gs://${bucket}\``;
    return { problems: [problem], warnings: [] };
  }
  const lacking = NEEDED.filter((permission) => !held.has(permission));
  if (lacking.length) {
    const problem = `Permissions are missing on bucket gs://${bucket}: ${lacking.join(", ")}`;
    return { problems: [problem], warnings: [] };
  }
  const warnings: string[] = [];
  const found = await getBucket(api, bucket, signal).catch((error: unknown) => {
    // To use a bucket, nobody needs the right to look at its settings.
    if (error instanceof GoogleApiError && error.status === 403) return undefined;
    throw error;
  });
  if (found?.location && isElsewhere(found.location, region)) {
    warnings.push(`Bucket gs://${bucket} is in ${found.location}, the workers are in ${region}: traffic costs more`);
  }
  if (found?.lifecycle?.rule?.some((rule) => rule.action?.type === "Delete")) {
    warnings.push(
      `A lifecycle rule deletes objects of bucket gs://${bucket}: new workers of a job need its staged files for as ` +
        "long as it runs",
    );
  }
  return { problems: [], warnings };
}
