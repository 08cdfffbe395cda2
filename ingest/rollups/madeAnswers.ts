/**
 * The last answer that was made of each snapshot of a cache, as bytes of JSON. Making the answer of a year takes a millisecond, which is
 * most of the time of a request. An answer is kept as long as its snapshot.
 */
export class MadeAnswers<Snapshot extends object> {
  private readonly last = new WeakMap<Snapshot, { readonly key: string; readonly body: Buffer }>();

  /**
   * @param key everything that the answer depends on besides the snapshot
   * @param make makes the value of the answer
   */
  of(snapshot: Snapshot, key: string, make: () => object): Buffer {
    const known = this.last.get(snapshot);
    if (known?.key === key) return known.body;
    const body = Buffer.from(JSON.stringify(make()));
    this.last.set(snapshot, { key, body });
    return body;
  }
}
