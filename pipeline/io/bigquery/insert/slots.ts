/** Runs at most `size` tasks concurrently; further tasks wait in a queue. */
export class Slots {
  private free: number;
  private readonly queue: (() => void)[] = [];
  private emptied: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(size: number) {
    this.free = size;
  }

  /** Undefined when the queue is empty; otherwise a promise that resolves when it is. */
  queueEmpty(): Promise<void> | undefined {
    if (this.queue.length === 0) return undefined;
    if (!this.emptied) {
      let resolve = (): void => {};
      const promise = new Promise<void>((r) => (resolve = r));
      this.emptied = { promise, resolve };
    }
    return this.emptied.promise;
  }

  /** Runs a task when a slot is free. Resolves or rejects with the task. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.queue.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.free++;
      if (this.queue.length === 0 && this.emptied) {
        this.emptied.resolve();
        this.emptied = undefined;
      }
    }
  }
}
