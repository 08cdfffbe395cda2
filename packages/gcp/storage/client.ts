import type { GoogleApi } from "../api/googleApi";
import { GoogleApiError } from "../api/googleApiError";

/** URL of the JSON API of Cloud Storage, or of the emulator in the standard variable STORAGE_EMULATOR_HOST. */
export function storageUrl(env: NodeJS.ProcessEnv = process.env): string {
  const emulator = env.STORAGE_EMULATOR_HOST;
  if (!emulator) return "https://storage.googleapis.com";
  return (emulator.includes("://") ? emulator : `http://${emulator}`).replace(/\/$/, "");
}

/** Parses `gs://bucket/some/name`; undefined when the text is not such a URL. */
export function parseGsUrl(url: string): { bucket: string; name: string } | undefined {
  const match = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/.exec(url);
  return match ? { bucket: match[1] as string, name: match[2] ?? "" } : undefined;
}

/**
 * Reads an object.
 * @param url `gs://bucket/name`
 * @throws CredentialsError, GoogleApiError
 */
export async function readObject(api: GoogleApi, url: string, signal?: AbortSignal): Promise<Buffer> {
  const object = parseGsUrl(url);
  if (!object?.name) throw new Error(`${url} is not the URL of an object in Cloud Storage (gs://bucket/name)`);
  return api.bytes({
    what: `Cannot read ${url}`,
    url: `${storageUrl()}/storage/v1/b/${object.bucket}/o/${encodeURIComponent(object.name)}`,
    query: { alt: "media" },
    signal,
  });
}

/** The properties of a bucket that this project uses. */
export interface Bucket {
  readonly name: string;
  /** Such as `EU` or `EUROPE-WEST1`. */
  readonly location?: string;
  readonly iamConfiguration?: { readonly uniformBucketLevelAccess?: { readonly enabled?: boolean } };
  readonly softDeletePolicy?: { readonly retentionDurationSeconds?: string };
  readonly lifecycle?: { readonly rule?: readonly { readonly action?: { readonly type?: string } }[] };
}

/**
 * Looks up a bucket; undefined when no bucket has this name.
 * @throws CredentialsError, GoogleApiError; with status 403 also when the bucket belongs to another project
 */
export async function getBucket(api: GoogleApi, name: string, signal?: AbortSignal): Promise<Bucket | undefined> {
  try {
    const url = `${storageUrl()}/storage/v1/b/${name}`;
    return await api.json<Bucket>({
      what: `Cannot look up bucket ${name}`,
      url,
      query: { projection: "noAcl" },
      signal,
    });
  } catch (error) {
    if (error instanceof GoogleApiError && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * The permissions of the caller on a bucket, out of a given list; undefined when no bucket has this name.
 * @throws CredentialsError, GoogleApiError
 */
export async function bucketPermissions(
  api: GoogleApi,
  name: string,
  permissions: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const query = new URLSearchParams(permissions.map((permission): [string, string] => ["permissions", permission]));
  try {
    const answer = await api.json<{ permissions?: string[] }>({
      what: `Cannot look up the permissions on bucket ${name}`,
      url: `${storageUrl()}/storage/v1/b/${name}/iam/testPermissions?${query.toString()}`,
      signal,
    });
    return new Set(answer.permissions);
  } catch (error) {
    if (error instanceof GoogleApiError && error.status === 404) return undefined;
    throw error;
  }
}
