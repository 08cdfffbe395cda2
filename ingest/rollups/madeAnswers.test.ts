import assert from "node:assert/strict";
import { MadeAnswers } from "./madeAnswers";

describe("MadeAnswers", () => {
  it("MadeAnswers makes an answer once for a snapshot and a key, and again for another snapshot or key", () => {
    const answers = new MadeAnswers();
    const [one, other] = [{ n: 1 }, { n: 2 }];
    let made = 0;
    const read = (snapshot: { readonly n: number }, key: string): unknown =>
      JSON.parse(answers.of(snapshot, key, () => ({ n: snapshot.n, key, ä: "ü", made: ++made })).toString());
    assert.deepEqual(read(one, "a"), { n: 1, key: "a", ä: "ü", made: 1 });
    assert.deepEqual(read(one, "a"), { n: 1, key: "a", ä: "ü", made: 1 });
    assert.deepEqual(read(other, "a"), { n: 2, key: "a", ä: "ü", made: 2 });
    assert.deepEqual(read(one, "b"), { n: 1, key: "b", ä: "ü", made: 3 });
    assert.deepEqual(read(other, "a"), { n: 2, key: "a", ä: "ü", made: 2 });
  });
});
