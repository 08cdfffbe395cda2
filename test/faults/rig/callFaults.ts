/** What happens to a call instead of an answer. */
export type CallFault =
  /** The call is answered with an error, and is not carried out. */
  | "error"
  /** The call is never answered, and is not carried out. */
  | "no answer"
  /** The call is carried out, and answered with an error. */
  | "answer lost";

/** The faults of a service. */
export interface CallFaults {
  /** Share of the calls that have a fault, from 0 to 1. */
  readonly share: number;
  /** Each is as frequent as the others. */
  readonly kinds: readonly CallFault[];
  /** The calls that may have faults, by path. @default all */
  readonly only?: RegExp;
}

const NO_FAULTS: CallFaults = { share: 0, kinds: [] };

/** Decides which calls have a fault: the same share in every run, spread evenly, without luck. */
export class FaultDecider {
  private faults = NO_FAULTS;
  private due = 0;
  private next = 0;
  /** Number of calls that had a fault, by its kind. */
  readonly counts: Record<CallFault, number> = { error: 0, "no answer": 0, "answer lost": 0 };
  /** Number of calls without a fault. */
  passed = 0;

  /** Without faults, every call is passed on. */
  set(faults: CallFaults = NO_FAULTS): void {
    this.faults = faults;
    this.due = 0;
  }

  decide(path: string): CallFault | undefined {
    const { share, kinds, only } = this.faults;
    if (only?.test(path) !== false) this.due += share;
    if (this.due < 1 || kinds.length === 0) {
      this.passed++;
      return undefined;
    }
    this.due -= 1;
    const kind = kinds[this.next++ % kinds.length] as CallFault;
    this.counts[kind]++;
    return kind;
  }

  /** Number of calls that had a fault. */
  get total(): number {
    return Object.values(this.counts).reduce((sum, n) => sum + n, 0);
  }
}
