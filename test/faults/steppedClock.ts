/**
 * A clock with steps, for `node --require`: the process reads the difference to the right time, in ms, from the file that
 * CLOCK_STEP_FILE names. Only `Date` is stepped; timers and the monotonic clock are not, as after a step of the system clock.
 */
import { readFileSync } from "node:fs";

const file = process.env["CLOCK_STEP_FILE"];
let step = 0;

function readStep(path: string): void {
  const text = readFileSync(path, "utf8");
  if (text) step = Number(text); // empty: it is being written
}

if (file) {
  readStep(file);
  setInterval(() => readStep(file), 50).unref();
  globalThis.Date = new Proxy(Date, {
    construct: (date, args: unknown[], newTarget: DateConstructor) =>
      Reflect.construct(date, args.length ? args : [date.now() + step], newTarget) as Date,
    get: (date, property) => {
      if (property === "now") return () => date.now() + step;
      return Reflect.get(date, property) as unknown;
    },
  });
}
