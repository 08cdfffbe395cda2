/** Wakes up the one reader that waits for any of several subscribers. */
export class Waker {
  private readonly waiting = new Set<() => void>();

  /** Ends all waits. */
  wake(): void {
    for (const end of this.waiting) end();
  }

  /** Resolves when {@link wake} is called, at the latest after `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.waiting.add(end);
    });
  }
}
