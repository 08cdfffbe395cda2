/**
 * Skips the rest of the tests of the enclosing `describe` after one has failed, for tests that go on with the data of the one before.
 * Mocha's own `this.bail(true)` would also end the test files that run at the same time.
 */
export function skipAfterFailure(): void {
  let hasFailed = false;
  beforeEach(function () {
    if (hasFailed) this.skip();
  });
  afterEach(function () {
    hasFailed ||= this.currentTest?.state === "failed";
  });
}
