import { startFakeGoogle, type FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";

/** Fakes for the tests of a suite, afresh for each; Google's libraries in this process are led to them. */
export function useFakeGoogle(): { readonly google: FakeGoogle } {
  const saved = { ...process.env };
  let google: FakeGoogle | undefined;
  before(async () => {
    google = await startFakeGoogle();
    Object.assign(process.env, google.env);
  });
  beforeEach(() => google?.reset());
  after(async () => {
    for (const name of Object.keys(google?.env ?? {})) {
      if (saved[name] === undefined) delete process.env[name];
      else process.env[name] = saved[name];
    }
    await google?.stop();
  });
  return {
    get google() {
      if (!google) throw new Error("Only tests and hooks may use the fakes");
      return google;
    },
  };
}
