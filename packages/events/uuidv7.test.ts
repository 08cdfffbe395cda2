import assert from "node:assert/strict";
import { uuidv7, uuidv7Generator } from "./uuidv7";

const SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (id: string): number => parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

function assertRising(ids: readonly string[]): void {
  for (let i = 1; i < ids.length; i++) assert.ok((ids[i - 1] ?? "") < (ids[i] ?? ""), `${ids[i - 1]} < ${ids[i]}`);
}

describe("uuidv7", () => {
  it("a UUIDv7 has the version, variant and time fields of RFC 9562", () => {
    const before = Date.now();
    const id = uuidv7();
    assert.match(id, SHAPE);
    assert.ok(timeOf(id) >= before && timeOf(id) <= Date.now() + 1);
    assert.equal(timeOf(uuidv7Generator(() => 0x0123_4567_89ab)()), 0x0123_4567_89ab);
  });

  it("UUIDv7s increase strictly when the counter of a millisecond overflows", () => {
    const make = uuidv7Generator(() => 1_700_000_000_000);
    const ids = Array.from({ length: 10_000 }, make);
    assert.ok(ids.every((id) => SHAPE.test(id)));
    assertRising(ids);
    assert.equal(new Set(ids).size, ids.length);
  });

  it("UUIDv7s increase strictly when the clock goes back", () => {
    const clock = [1000, 2000, 1500, 1500, 2000, 2001];
    let at = 0;
    const make = uuidv7Generator(() => clock[at++] ?? 0);
    assertRising(clock.map(() => make()));
  });

  it("UUIDv7s of different generators differ at the same moment", () => {
    const ids = Array.from({ length: 1000 }, () => uuidv7Generator(() => 5)());
    assert.equal(new Set(ids).size, ids.length);
  });
});
