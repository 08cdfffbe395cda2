interface Entry<T> {
  readonly due: number;
  readonly order: number;
  readonly item: T;
}

const before = <T>(a: Entry<T>, b: Entry<T>): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

/** Returns items in the order in which they are due, and items due at the same time in the order of addition. A binary heap. */
export class DelayQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private added = 0;

  add(due: number, item: T): void {
    const { heap } = this;
    const entry = { due, order: this.added++, item };
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, entry)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  /** Removes and returns the next item due at `now` or earlier; undefined without one. */
  take(now: number): T | undefined {
    const { heap } = this;
    const top = heap[0];
    if (top === undefined || top.due > now) return undefined;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.sink(last);
    return top.item;
  }

  private sink(entry: Entry<T>): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const child = right !== undefined && before(right, left) ? right : left;
      if (before(entry, child)) break;
      heap[at] = child;
      at = child === right ? 2 * at + 2 : 2 * at + 1;
    }
    heap[at] = entry;
  }
}
