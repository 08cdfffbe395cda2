import type { Random } from "./random";

/** Chooses who is behind a session: users turn up little by little, and a few of them come back far more often. */
export class Population {
  private seen = 0;

  constructor(
    private readonly random: Random,
    private readonly size: number,
  ) {}

  /** @param sessionsLeft about how many sessions are to come: while there are enough, everyone gets a turn */
  next(sessionsLeft: number): string {
    const unseen = this.size - this.seen;
    const isNew = unseen > 0 && (this.seen === 0 || unseen >= sessionsLeft || this.random.chance(0.5));
    const index = isNew ? this.seen++ : Math.floor(this.seen * this.random.float() ** 2);
    return `u-${String(index).padStart(6, "0")}`;
  }
}
