import type { GoogleApi } from "../api/googleApi";
import { GoogleApiError } from "../api/googleApiError";
import { getBucket, storageUrl, type Bucket } from "./client";
import { existing, type SetupStep } from "../setup/setupStep";

export interface BucketSetup {
  readonly project: string;
  /** Its name, without `gs://`. */
  readonly bucket: string;
  /** Such as `EU` or `europe-west1`; undefined: the service's default, US. */
  readonly location?: string | undefined;
  /** Changes a bucket that is there and differs. @default false */
  readonly updateExisting?: boolean | undefined;
}

/**
 * What a bucket for staged and temporary files is like. Access is by IAM alone, and nothing of it is ever public. Deleted
 * objects are not kept for a week and paid for: launches leave many, and none is worth having back. Nothing deletes old
 * objects: a job that runs for a year starts new workers from the files that were staged for it at the beginning.
 */
const SETTINGS = {
  iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: "enforced" },
  softDeletePolicy: { retentionDurationSeconds: "0" },
} as const;

/** What differs and can be changed, and what differs for good. */
function differencesOf(present: Bucket, location: string | undefined): { mendable: string[]; lasting: string[] } {
  const mendable: string[] = [];
  const lasting: string[] = [];
  if (!present.iamConfiguration?.uniformBucketLevelAccess?.enabled) mendable.push("access also by ACLs of objects");
  const kept = Number(present.softDeletePolicy?.retentionDurationSeconds ?? 0);
  if (kept > 0) mendable.push(`deleted objects are kept, and paid for, for ${Math.round(kept / 86_400)} days`);
  if (present.lifecycle?.rule?.some((rule) => rule.action?.type === "Delete")) {
    lasting.push("a lifecycle rule deletes objects, but a streaming job needs its staged files for as long as it runs");
  }
  if (location && present.location && present.location.toLowerCase() !== location.toLowerCase()) {
    lasting.push(`kept in ${present.location}, which cannot be changed`);
  }
  return { mendable, lasting };
}

/**
 * Makes the bucket for staged and temporary files of Dataflow jobs. Safe to repeat.
 * @throws CredentialsError, GoogleApiError (naming the permission that is missing), and Error when the bucket is of
 *   somebody else
 */
export async function setUpBucket(api: GoogleApi, options: BucketSetup): Promise<SetupStep> {
  const { project, bucket, location } = options;
  const step = { kind: "bucket", name: `gs://${bucket}` } as const;
  let present = await lookUp(api, bucket);
  if (!present) {
    try {
      await api.json({
        what: `Cannot make bucket gs://${bucket} in project ${project}`,
        url: `${storageUrl()}/storage/v1/b`,
        method: "POST",
        query: { project },
        body: { name: bucket, ...(location && { location }), ...SETTINGS },
      });
      return { ...step, outcome: "created", detail: `in ${location ?? "the default location"}` };
    } catch (error) {
      if (!(error instanceof GoogleApiError && error.status === 409)) throw error;
      present = await lookUp(api, bucket); // made since a moment ago
      if (!present) throw error;
    }
  }
  const { mendable, lasting } = differencesOf(present, location);
  if (!mendable.length || !options.updateExisting) return existing(step, { differences: [...mendable, ...lasting] });
  await api.json({
    what: `Cannot change bucket gs://${bucket}`,
    url: `${storageUrl()}/storage/v1/b/${bucket}`,
    method: "PATCH",
    body: SETTINGS,
  });
  return existing(step, { updated: mendable.map((difference) => `was: ${difference}`), differences: lasting });
}

async function lookUp(api: GoogleApi, bucket: string): Promise<Bucket | undefined> {
  try {
    return await getBucket(api, bucket);
  } catch (error) {
    if (!(error instanceof GoogleApiError && error.status === 403)) throw error;
    throw new Error(
      `${error.message}\nEither the permission storage.buckets.get is missing on it, or it is a bucket of another ` +
        "project: names are unique all over Google Cloud. Choose another one (--bucket)",
      { cause: error },
    );
  }
}
