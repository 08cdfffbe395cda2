import type { RebuildServices } from "../services";

/** The process has been killed: nothing that it does from then on has an effect. */
export class Killed extends Error {}

/** The call at which a process is killed, before or after the call has its effect. 1 is the first one. */
export interface Kill {
  readonly call: number;
  readonly when: "before" | "after";
}

export interface KillableOptions {
  /** Undefined: never. */
  readonly kill: Kill | undefined;
  /** Called when the process is killed. */
  readonly onKill: () => void | Promise<void>;
  /** Called after each call. */
  readonly onCall: () => void;
}

/** Functions without effect outside of the process. */
const PURE = new Set<string | symbol>(["names", "advice"]);

/** The services of one process, which can be killed at any of its calls. After the kill every call fails, also those of its last cleaning up. */
export function killable(services: RebuildServices, { kill, onKill, onCall }: KillableOptions): RebuildServices {
  let isDead = false;
  let calls = 0;
  const die = async (): Promise<never> => {
    if (!isDead) {
      isDead = true;
      await onKill();
    }
    throw new Killed();
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key);
        if (typeof value !== "function" || PURE.has(key)) return value;
        return async (...args: unknown[]): Promise<unknown> => {
          if (isDead) return die();
          const isLast = ++calls === kill?.call;
          if (isLast && kill.when === "before") return die();
          const result: unknown = await (value as (...all: unknown[]) => Promise<unknown>).apply(object, args);
          onCall();
          return isLast ? die() : result;
        };
      },
    });
  const { store, resources, rows, verifier, driver } = services;
  return {
    ...{ store: wrap(store), resources: wrap(resources), rows: wrap(rows) },
    ...{ verifier: wrap(verifier), driver: wrap(driver) },
  };
}
