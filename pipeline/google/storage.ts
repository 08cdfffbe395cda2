import type { GoogleApi } from "./googleApi";

/** The JSON API of Cloud Storage, or of an emulator that the standard variable STORAGE_EMULATOR_HOST names. */
export function storageUrl(env: NodeJS.ProcessEnv = process.env): string {
  const emulator = env.STORAGE_EMULATOR_HOST;
  if (!emulator) return "https://storage.googleapis.com";
  return (emulator.includes("://") ? emulator : `http://${emulator}`).replace(/\/$/, "");
}

/** Bucket and name of `gs://bucket/some/name`; undefined when it is no such URL. */
export function parseGsUrl(url: string): { bucket: string; name: string } | undefined {
  const match = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/.exec(url);
  return match ? { bucket: match[1] as string, name: match[2] ?? "" } : undefined;
}

/**
 * The content of an object.
 * @param url `gs://bucket/name`
 * @throws CredentialsError, GoogleApiError
 */
export async function readObject(api: GoogleApi, url: string, signal?: AbortSignal): Promise<Buffer> {
  const object = parseGsUrl(url);
  if (!object?.name) throw new Error(`${url} is no object in Cloud Storage`);
  return api.bytes({
    what: `Cannot read ${url}`,
    url: `${storageUrl()}/storage/v1/b/${object.bucket}/o/${encodeURIComponent(object.name)}`,
    query: { alt: "media" },
    signal,
  });
}
