import { startFakeGoogle, type FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";

/** Runs fakes of Google's services for the tests of a suite and resets them before each test. */
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
      if (!google) throw new Error("The fakes are available only in tests and hooks");
      return google;
    },
  };
}
