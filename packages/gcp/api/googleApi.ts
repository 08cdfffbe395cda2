import { setTimeout } from "node:timers/promises";
import { GoogleAuth } from "google-auth-library";
import { CredentialsError, GoogleApiError, reasonOf } from "./googleApiError";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TIMEOUT_MS = 60_000;
/** Pauses before the next attempts; ms, each up to half longer. */
const PAUSES_MS = [500, 1000, 2000, 4000];

export interface ApiRequest {
  /** What is being done, for errors: `Cannot drain job x`. */
  readonly what: string;
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Those that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Google's REST APIs with Application Default Credentials. Requests are repeated while the service has trouble. */
export class GoogleApi {
  private readonly auth: GoogleAuth;

  /**
   * @param project for quotas where the credentials name none; otherwise it would be looked up
   * @param pausesMs before the second attempt, the third, ...
   */
  constructor(
    project: string,
    private readonly pausesMs: readonly number[] = PAUSES_MS,
  ) {
    this.auth = new GoogleAuth({ scopes: SCOPE, projectId: project });
  }

  /**
   * The answer's JSON.
   * @throws CredentialsError, GoogleApiError
   */
  async json<T>(request: ApiRequest): Promise<T> {
    const body = await this.bytes(request);
    return (body.length ? JSON.parse(body.toString("utf8")) : {}) as T;
  }

  /**
   * The answer's body.
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
   * An access token, for services of Google that are asked in another way.
   * @throws CredentialsError
   */
  async accessToken(): Promise<string | undefined> {
    try {
      return (await this.auth.getAccessToken()) ?? undefined;
    } catch (error) {
      throw new CredentialsError((error as Error).message);
    }
  }

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
      const answer = Buffer.from(await response.arrayBuffer());
      if (response.ok) return answer;
      const reason = reasonOf(answer.toString("utf8"));
      if (response.status === 401) throw new CredentialsError(reason);
      return new GoogleApiError(what, response.status, reason);
    } catch (error) {
      if (error instanceof CredentialsError) throw error;
      const { message, cause } = error as Error;
      const reason = cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : message;
      return new GoogleApiError(what, undefined, `no answer from ${target.host} (${reason})`);
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
