import assert from "node:assert/strict";
import { parseDateRange } from "./dateRange";
import { RequestError } from "../http/errors";

const parse = (query: string): ReturnType<typeof parseDateRange> => parseDateRange(new URLSearchParams(query));

describe("parseDateRange", () => {
  it("parseDateRange accepts both date formats and leaves missing bounds open", () => {
    assert.deepEqual(parse(""), { from: undefined, to: undefined });
    assert.deepEqual(parse("from=2024-02-29"), { from: "2024-02-29", to: undefined });
    assert.deepEqual(parse("from=01/02/2024&to=2024-03-01"), { from: "2024-02-01", to: "2024-03-01" });
    assert.deepEqual(parse("from=2024-02-01&to=01/02/2024"), { from: "2024-02-01", to: "2024-02-01" });
  });

  const bad: [string, string][] = [
    ["from=yesterday", "from"],
    ["to=2023-02-29", "to"],
    ["to=31/04/2024", "to"],
    ["from=", "from"],
    ["from=2024-2-1", "from"],
    ["to=2024-01-01T00:00:00Z", "to"],
    ["from=2024-01-01&from=2024-01-02", "from"],
    ["from=2024-01-02&to=2024-01-01", "from"],
  ];
  for (const [query, field] of bad) {
    it(`parseDateRange refuses ${query} and names ${field}`, () => {
      assert.throws(
        () => parse(query),
        (error) => error instanceof RequestError && error.status === 400 && error.errors[0]?.field === field,
      );
    });
  }
});
