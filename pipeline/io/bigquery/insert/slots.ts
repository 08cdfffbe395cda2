/** Lets at most `size` tasks run at a time; the others wait in line. */
export class Slots {
  private free: number;
  private readonly line: (() => void)[] = [];
  private emptied: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(size: number) {
    this.free = size;
  }

  /** Undefined when nobody waits in line; otherwise a promise for the moment when nobody does. */
  lineEmpty(): Promise<void> | undefined {
    if (this.line.length === 0) return undefined;
    if (!this.emptied) {
      let resolve = (): void => {};
      const promise = new Promise<void>((r) => (resolve = r));
      this.emptied = { promise, resolve };
    }
    return this.emptied.promise;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.line.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.line.shift();
      if (next) next();
      else this.free++;
      if (this.line.length === 0 && this.emptied) {
        this.emptied.resolve();
        this.emptied = undefined;
      }
    }
  }
}
