/** A host that needs no parsing. */
const PLAIN_HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;

const STARTS_AS_HOST = /^[\p{L}\p{N}[]/u;

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** Characters of a host name (RFC 1035). */
const MAX_HOST = 253;

/**
 * The host of a referrer, in lower case and without port: what `document.referrer` has, also as a protocol-relative URL or a bare
 * host with or without a path.
 * @returns null when the text is empty, as without a referrer; undefined when it is neither a URL with a host nor a host
 */
export function referrerHost(text: string): string | null | undefined {
  if (text.length <= MAX_HOST && PLAIN_HOST.test(text)) return text;
  const given = text.trim();
  if (given === "") return null;
  const host = hostOf(urlOf(given));
  return host === undefined || host === "" || host.length > MAX_HOST ? undefined : host.toLowerCase();
}

function urlOf(text: string): string {
  if (text.startsWith("//")) return `http:${text}`;
  // `localhost:3000` looks like a URL of the scheme `localhost`.
  if (HAS_SCHEME.test(text) && !/^[^/]*:\d/.test(text)) return text;
  return STARTS_AS_HOST.test(text) ? `http://${text}` : "";
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
