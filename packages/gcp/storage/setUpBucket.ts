import type { GoogleApi } from "../api/googleApi";
import { GoogleApiError } from "../api/googleApiError";
import { getBucket, storageUrl, type Bucket } from "./client";
import { existing, type SetupStep } from "../setup/setupStep";

export interface BucketSetup {
  readonly project: string;
  /** Name, without `gs://`. */
  readonly bucket: string;
  /** Such as `EU` or `europe-west1`. @default the service's default, US */
  readonly location?: string | undefined;
  /** Whether to update an existing bucket that differs. @default false */
  readonly updateExisting?: boolean | undefined;
}

/**
 * Settings of a bucket for staged and temporary files. Access is controlled by IAM alone and is never public. Soft delete
 * is off: launches leave many objects, and restoring one is never useful. No lifecycle rule deletes old objects: a job
 * that runs for a year starts new workers from the files that were staged at its launch.
 */
const SETTINGS = {
  iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: "enforced" },
  softDeletePolicy: { retentionDurationSeconds: "0" },
} as const;

/** The differences between an existing bucket and a new one. */
function differencesOf(present: Bucket, location: string | undefined): { changeable: string[]; permanent: string[] } {
  const changeable: string[] = [];
  const permanent: string[] = [];
  if (!present.iamConfiguration?.uniformBucketLevelAccess?.enabled)
    changeable.push("access is also controlled by object ACLs");
  const kept = Number(present.softDeletePolicy?.retentionDurationSeconds ?? 0);
  if (kept > 0) changeable.push(`deleted objects are kept, and billed, for ${Math.round(kept / 86_400)} days`);
  if (present.lifecycle?.rule?.some((rule) => rule.action?.type === "Delete")) {
    permanent.push("a lifecycle rule deletes objects, but a streaming job needs its staged files as long as it runs");
  }
  if (location && present.location && present.location.toLowerCase() !== location.toLowerCase()) {
    permanent.push(`located in ${present.location}, which cannot be changed`);
  }
  return { changeable, permanent };
}

/**
 * Creates the bucket for staged and temporary files of Dataflow jobs. Safe to repeat.
 * @throws CredentialsError, GoogleApiError (names the missing permission), and Error when the bucket belongs to another
 *   project
 */
export async function setUpBucket(api: GoogleApi, options: BucketSetup): Promise<SetupStep> {
  const { project, bucket, location } = options;
  const step = { kind: "bucket", name: `gs://${bucket}` } as const;
  let present = await lookUp(api, bucket);
  if (!present) {
    try {
      await api.json({
        what: `Cannot create bucket gs://${bucket} in project ${project}`,
        url: `${storageUrl()}/storage/v1/b`,
        method: "POST",
        query: { project },
        body: { name: bucket, ...(location && { location }), ...SETTINGS },
      });
      return { ...step, outcome: "created", detail: `in ${location ?? "the default location"}` };
    } catch (error) {
      if (!(error instanceof GoogleApiError && error.status === 409)) throw error;
      present = await lookUp(api, bucket); // created by another process since the first look-up
      if (!present) throw error;
    }
  }
  const { changeable, permanent } = differencesOf(present, location);
  if (!changeable.length || !options.updateExisting)
    return existing(step, { differences: [...changeable, ...permanent] });
  await api.json({
    what: `Cannot update bucket gs://${bucket}`,
    url: `${storageUrl()}/storage/v1/b/${bucket}`,
    method: "PATCH",
    body: SETTINGS,
  });
  return existing(step, { updated: changeable.map((difference) => `was: ${difference}`), differences: permanent });
}

async function lookUp(api: GoogleApi, bucket: string): Promise<Bucket | undefined> {
  try {
    return await getBucket(api, bucket);
  } catch (error) {
    if (!(error instanceof GoogleApiError && error.status === 403)) throw error;
    throw new Error(
      `${error.message}\nEither you lack the permission storage.buckets.get on the bucket, or it belongs to another project: ` +
        "bucket names are unique across Google Cloud. Choose another name (--bucket)",
      { cause: error },
    );
  }
}
