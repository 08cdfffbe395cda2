import { AuthClient, GoogleAuth, gcpMetadata } from "google-auth-library";
import { withTimeout } from "@eventlogger/process/wait";
import { CredentialsError } from "./googleApiError";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

/** Time limit of a check, ms. The search for a metadata server alone takes 3 s where nothing answers. */
const TIMEOUT_MS = 4000;
/** Pause between two checks while the credentials work, ms. A check needs the network only shortly before a token expires. */
const REFRESH_MS = 30_000;
/** Pauses between two checks while they do not work: it doubles from the first to the last one, ms. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
const MAX_REASON = 500;

/** gRPC status UNAUTHENTICATED, which is not retried. */
const UNAUTHENTICATED = 16;

export interface DefaultCredentialsOptions {
  /** Called when the credentials stop working, with the reason, and when they work again. */
  readonly onChange?: (problem: CredentialsError | undefined) => void;
}

/** Finds the real client at each call, so that a client of Google can be created while there are no credentials. */
class DeferredClient extends AuthClient {
  readonly request: AuthClient["request"] = async (options) => this.find().request(options);

  constructor(private readonly find: () => AuthClient) {
    super();
  }

  async getRequestHeaders(url?: string | URL): Promise<Headers> {
    return this.find().getRequestHeaders(url);
  }

  async getAccessToken(): ReturnType<AuthClient["getAccessToken"]> {
    return this.find().getAccessToken();
  }
}

/**
 * Google's Application Default Credentials, for services that must stay up without them. Google's own clients search once
 * per client, remember a failure for ever, and report it also as an unhandled rejection, which ends the process. Here the
 * search happens in the background, with a time limit, and is repeated while it fails. Files are read again each time.
 */
export class DefaultCredentials {
  /** For Google's clients. Its calls fail with the {@link problem}. */
  readonly authClient: AuthClient;
  private found: AuthClient | undefined;
  private failure: CredentialsError | undefined;
  private checking: Promise<void> | undefined;
  private isChecked = false;
  private retryMs = FIRST_RETRY_MS;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  /** Checks nothing yet: call {@link check}. */
  constructor(private readonly options: DefaultCredentialsOptions = {}) {
    this.authClient = new DeferredClient(() => {
      if (this.failure) throw Object.assign(this.failure, { code: UNAUTHENTICATED });
      if (!this.found) throw new CredentialsError("they have not been checked yet");
      return this.found;
    });
  }

  /** Why there is no access token; undefined when there is one, and before the first check. */
  get problem(): CredentialsError | undefined {
    return this.failure;
  }

  /**
   * Gets an access token. Calls at the same time share one check, and further checks follow by themselves until
   * {@link close}. Never rejects; takes at most 8 s.
   */
  check(): Promise<void> {
    this.checking ??= this.checkNow().finally(() => (this.checking = undefined));
    return this.checking;
  }

  /** {@link check}, unless there has been one. */
  async checkOnce(): Promise<void> {
    if (!this.isChecked) await this.check();
  }

  /** Ends the checks. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  private async checkNow(): Promise<void> {
    clearTimeout(this.timer);
    const failed = this.failure !== undefined;
    try {
      await this.getToken();
      this.failure = undefined;
      this.retryMs = FIRST_RETRY_MS;
      if (failed) this.options.onChange?.(undefined);
    } catch (error) {
      this.found = undefined;
      this.failure = new CredentialsError((error as Error).message.slice(0, MAX_REASON));
      if (!failed) this.options.onChange?.(this.failure);
    }
    this.isChecked = true;
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.check(), this.failure ? this.retryMs : REFRESH_MS).unref();
    if (this.failure) this.retryMs = Math.min(2 * this.retryMs, LAST_RETRY_MS);
  }

  private async getToken(): Promise<void> {
    try {
      if (this.found) {
        await withTimeout(this.found.getRequestHeaders(), TIMEOUT_MS, "refreshing the access token");
        return;
      }
    } catch {
      // The file may have been replaced since: search again.
    }
    this.found = await withTimeout(search(), TIMEOUT_MS, "searching for credentials and getting an access token");
  }
}

/** A client that has an access token. */
async function search(): Promise<AuthClient> {
  gcpMetadata.resetIsAvailableCache();
  const client = await new GoogleAuth({ scopes: SCOPE }).getClient();
  await client.getRequestHeaders();
  return client;
}
