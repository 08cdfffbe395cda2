import type { Random } from "./random";

/** Chooses the users of sessions: new users appear gradually, and a few users return far more often than others. */
export class Population {
  private seen = 0;

  constructor(
    private readonly random: Random,
    private readonly size: number,
  ) {}

  /** @param sessionsLeft approximate number of sessions to come; if there are enough, every user gets one */
  next(sessionsLeft: number): string {
    const unseen = this.size - this.seen;
    const isNew = unseen > 0 && (this.seen === 0 || unseen >= sessionsLeft || this.random.chance(0.5));
    const index = isNew ? this.seen++ : Math.floor(this.seen * this.random.float() ** 2);
    return `u-${String(index).padStart(6, "0")}`;
  }
}
