import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request to a fake service. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A buffer is sent as it is, any other value as JSON. */
  readonly body?: unknown;
}

/** Answers requests of its API; undefined for other requests. */
export type FakeService = (request: FakeRequest) => FakeAnswer | undefined;

/** Requests that fail. */
export interface Fault {
  /** Matched against `METHOD /path`. */
  readonly match: RegExp;
  /** The response; `hang` never responds. */
  readonly answer: FakeAnswer | "hang";
  /** Number of requests that fail. @default all */
  readonly times?: number;
}

/** An error response in the format of Google's APIs. */
export function googleError(status: number, message: string): FakeAnswer {
  return { status, body: { error: { code: status, message, status: message.toUpperCase().replace(/\W+/g, "_") } } };
}

/** Fake services on one port of localhost. Injects faults and records all requests. */
export class FakeServer {
  readonly requests: FakeRequest[] = [];
  private faults: { fault: Fault; left: number }[] = [];

  private constructor(
    private readonly services: readonly FakeService[],
    private readonly server: ReturnType<typeof createServer>,
  ) {}

  static async start(services: readonly FakeService[]): Promise<FakeServer> {
    const server = createServer();
    const fake = new FakeServer(services, server);
    server.on("request", (request, response) => void fake.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  /** `http://localhost:PORT`. */
  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  /** Adds a fault for requests from now on. */
  fail(fault: Fault): void {
    this.faults.push({ fault, left: fault.times ?? Infinity });
  }

  /** Removes all faults and recorded requests. */
  reset(): void {
    this.faults = [];
    this.requests.length = 0;
  }

  /** The requests whose `METHOD /path` matches. */
  requestsTo(match: RegExp): FakeRequest[] {
    return this.requests.filter(({ method, path }) => match.test(`${method} ${path}`));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", this.url);
    const request: FakeRequest = {
      method: incoming.method ?? "GET",
      path: pathname,
      query: searchParams,
      headers: incoming.headers,
      body: await buffer(incoming),
    };
    this.requests.push(request);
    const answer = this.faultFor(request) ?? this.answer(request);
    if (answer === "hang") return;
    const isBytes = Buffer.isBuffer(answer.body);
    const body = isBytes ? answer.body : Buffer.from(JSON.stringify(answer.body ?? {}));
    response.writeHead(answer.status, {
      "content-type": isBytes ? "application/octet-stream" : "application/json",
      "content-length": body.length,
      ...answer.headers,
    });
    response.end(body);
  }

  private faultFor({ method, path }: FakeRequest): FakeAnswer | "hang" | undefined {
    const found = this.faults.find(({ fault, left }) => left > 0 && fault.match.test(`${method} ${path}`));
    if (!found) return undefined;
    found.left--;
    return found.fault.answer;
  }

  private answer(request: FakeRequest): FakeAnswer {
    for (const service of this.services) {
      const answer = service(request);
      if (answer) return answer;
    }
    return googleError(501, `the fake does not implement ${request.method} ${request.path}`);
  }
}
