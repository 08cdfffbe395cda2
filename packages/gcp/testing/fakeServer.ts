import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request that a fake service got. */
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
  /** Sent as it is when it is a buffer, else as JSON. */
  readonly body?: unknown;
}

/** Answers the requests that are its own; undefined for others. */
export type FakeService = (request: FakeRequest) => FakeAnswer | undefined;

/** What goes wrong. */
export interface Fault {
  /** Tried on `METHOD /path`. */
  readonly match: RegExp;
  /** The answer; `hang` never answers. */
  readonly answer: FakeAnswer | "hang";
  /** How many requests go wrong. @default all */
  readonly times?: number;
}

/** An error as Google's APIs write it. */
export function googleError(status: number, message: string): FakeAnswer {
  return { status, body: { error: { code: status, message, status: message.toUpperCase().replace(/\W+/g, "_") } } };
}

/** Fake services behind one port of localhost, with faults, and a record of what was asked. */
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

  /** From now on. */
  fail(fault: Fault): void {
    this.faults.push({ fault, left: fault.times ?? Infinity });
  }

  /** Forgets faults and requests. */
  reset(): void {
    this.faults = [];
    this.requests.length = 0;
  }

  /** Those whose `METHOD /path` matches. */
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
    return googleError(501, `the fake does not know ${request.method} ${request.path}`);
  }
}
