import { setTimeout } from "node:timers/promises";
import { GoogleAuth } from "google-auth-library";
import { CredentialsError, GoogleApiError, reasonOf } from "./googleApiError";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TIMEOUT_MS = 60_000;
/** Pauses before the second attempt, the third, …; ms. Each is lengthened by up to 50 % at random. */
const PAUSES_MS = [500, 1000, 2000, 4000];

export interface ApiRequest {
  /** Start of the error message: `Cannot drain job x`. */
  readonly what: string;
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Undefined parameters are omitted. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Client of Google's REST APIs with Application Default Credentials. Retries requests while a service is unavailable. */
export class GoogleApi {
  private readonly auth: GoogleAuth;

  /**
   * @param project quota project for credentials that name none; without it, the library would look one up
   * @param pausesMs pauses before the second attempt, the third, …; an empty list disables retries
   */
  constructor(
    project: string,
    private readonly pausesMs: readonly number[] = PAUSES_MS,
  ) {
    this.auth = new GoogleAuth({ scopes: SCOPE, projectId: project });
  }

  /**
   * Sends a request and parses the JSON response; an empty body is `{}`.
   * @throws CredentialsError, GoogleApiError
   */
  async json<T>(request: ApiRequest): Promise<T> {
    const body = await this.bytes(request);
    return (body.length ? JSON.parse(body.toString("utf8")) : {}) as T;
  }

  /**
   * Sends a request and returns the response body.
   * @throws CredentialsError, GoogleApiError
   */
  async bytes(request: ApiRequest): Promise<Buffer> {
    for (let attempt = 0; ; attempt++) {
      const result = await this.attempt(request);
      if (Buffer.isBuffer(result)) return result;
      request.signal?.throwIfAborted();
      const pause = this.pausesMs[attempt];
      if (pause === undefined || (result.status !== undefined && !isTransient(result.status))) throw result;
      await setTimeout(pause * (1 + Math.random() / 2), undefined, { signal: request.signal });
    }
  }

  /**
   * An access token, for Google services that this class does not call.
   * @throws CredentialsError
   */
  async accessToken(): Promise<string | undefined> {
    try {
      return (await this.auth.getAccessToken()) ?? undefined;
    } catch (error) {
      throw new CredentialsError((error as Error).message);
    }
  }

  /** @returns the response body, or an error that may be retried */
  private async attempt({
    what,
    url,
    method = "GET",
    query = {},
    body,
    signal,
  }: ApiRequest): Promise<Buffer | GoogleApiError> {
    const target = new URL(url);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(name, value);
    const headers = await this.headers(url);
    if (body !== undefined) headers.set("content-type", "application/json");
    const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
    try {
      const response = await fetch(target, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.any(limits),
      });
      const content = Buffer.from(await response.arrayBuffer());
      if (response.ok) return content;
      const reason = reasonOf(content.toString("utf8"));
      if (response.status === 401) throw new CredentialsError(reason);
      return new GoogleApiError(what, response.status, reason);
    } catch (error) {
      if (error instanceof CredentialsError) throw error;
      const { message, cause } = error as Error;
      const reason = cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : message;
      return new GoogleApiError(what, undefined, `no response from ${target.host} (${reason})`);
    }
  }

  private async headers(url: string): Promise<Headers> {
    try {
      return new Headers(await this.auth.getRequestHeaders(url));
    } catch (error) {
      throw new CredentialsError((error as Error).message);
    }
  }
}
