import { googleError, type FakeRequest, type FakeService } from "./fakeServer";

interface Config {
  readonly name: string;
  readonly displayName: string;
  readonly dataSourceId: string;
  readonly schedule: string;
  readonly params: { readonly query: string };
}

/** Whether a schedule has the form that `setup` accepts, and the documented minimum of 5 minutes. */
function isSchedule(text: string): boolean {
  const [, count, unit] = /^every (\d+) (minutes|hours)$/.exec(text) ?? [];
  return unit === "hours" || (unit === "minutes" && Number(count) >= 5);
}

/** The BigQuery Data Transfer Service with the scheduled queries of one project. Lists them one to a page. */
export class FakeTransfer {
  readonly configs: Config[] = [];

  constructor(readonly project: string) {}

  readonly service: FakeService = (request) => {
    const match = /^\/v1\/(projects\/([^/]+)\/locations\/[^/]+)\/transferConfigs(?:\/(\d+))?$/.exec(request.path);
    const [, parent, project, id] = match ?? [];
    if (parent === undefined) return undefined;
    if (project !== this.project) return googleError(403, "Permission denied");
    if (request.method === "GET" && id === undefined) return this.list(request, parent);
    if (request.method === "POST" && id === undefined) return this.create(request, parent);
    if (request.method === "PATCH" && id !== undefined) return this.update(request, Number(id));
    return googleError(404, "Not found");
  };

  private list({ query }: FakeRequest, parent: string): ReturnType<FakeService> {
    const source = query.get("dataSourceIds");
    const found = this.configs.filter(({ name, dataSourceId }) => name.startsWith(parent) && dataSourceId === source);
    const from = Number(query.get("pageToken") ?? 0);
    const next = from + 1 < found.length ? { nextPageToken: String(from + 1) } : {};
    return { status: 200, body: { transferConfigs: found.slice(from, from + 1), ...next } };
  }

  private create({ body }: FakeRequest, parent: string): ReturnType<FakeService> {
    const given = JSON.parse(body.toString()) as Omit<Config, "name">;
    if (!isSchedule(given.schedule)) return googleError(400, "Invalid schedule");
    const config = { ...given, name: `${parent}/transferConfigs/${this.configs.length}` };
    this.configs.push(config);
    return { status: 200, body: config };
  }

  private update({ body, query }: FakeRequest, id: number): ReturnType<FakeService> {
    const present = this.configs[id];
    if (!present) return googleError(404, "Not found");
    const given = JSON.parse(body.toString()) as Partial<Config>;
    if (!isSchedule(given.schedule ?? present.schedule)) return googleError(400, "Invalid schedule");
    const mask = (query.get("updateMask") ?? "").split(",");
    const changes = Object.fromEntries(Object.entries(given).filter(([field]) => mask.includes(field)));
    return { status: 200, body: (this.configs[id] = { ...present, ...changes }) };
  }
}
