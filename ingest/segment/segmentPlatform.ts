/** Libraries by the end of their names: `analytics-node`, `@segment/analytics-node`, `analytics.js`, `analytics-kotlin`. */
const BROWSER = /(?:^|\/)analytics(?:\.js|-next)$/i;
const IOS = /(?:^|\/)analytics-(?:ios|swift)$/i;
const ANDROID = /(?:^|\/)analytics-(?:android|kotlin)$/i;
const SERVER = /(?:^|\/)analytics[-.](?:node|python|java|go|ruby|php|net|csharp|rust|clojure|scala|elixir)$/i;

/** Systems by the names that libraries report, in lower case. */
const SYSTEMS: Readonly<Record<string, string>> = {
  ios: "ios",
  "iphone os": "ios",
  ipados: "ios",
  android: "android",
};

const textAt = (value: unknown, field: string): string | undefined => {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, field)) return undefined;
  const found = (value as Record<string, unknown>)[field];
  return typeof found === "string" ? found : undefined;
};

const ofSystem = (name: string | undefined): string | undefined => {
  const system = name?.toLowerCase();
  return system !== undefined && Object.hasOwn(SYSTEMS, system) ? SYSTEMS[system] : undefined;
};

/**
 * The platform that a call comes from: `web`, `ios`, `android` or `server`; undefined when its context does not tell. The
 * device decides first, because a library for several systems runs on it. A server that passes on the user agent of a
 * browser speaks for that browser.
 * @param context of the call
 */
export function segmentPlatform(context: unknown): string | undefined {
  const fields = typeof context === "object" && context !== null ? (context as Record<string, unknown>) : {};
  const onDevice = ofSystem(textAt(fields.device, "type")) ?? ofSystem(textAt(fields.os, "name"));
  if (onDevice !== undefined) return onDevice;
  const library = textAt(fields.library, "name") ?? "";
  if (BROWSER.test(library)) return "web";
  if (IOS.test(library)) return "ios";
  if (ANDROID.test(library)) return "android";
  return SERVER.test(library) && typeof fields.userAgent !== "string" ? "server" : undefined;
}
