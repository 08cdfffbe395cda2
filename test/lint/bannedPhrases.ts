/** A phrase that the texts of this repository do not use. */
export interface BannedPhrase {
  /** Searched in prose: comments, strings, templates, and the whole text of files that are not code. */
  readonly pattern: RegExp;
  readonly reason: string;
  readonly suggestion: string;
  /** Also search names and code, not only prose. */
  readonly inCode?: true;
  /** Only files whose path matches, relative to the repository; without it all files. */
  readonly files?: RegExp;
}

const IDIOM = "not an English idiom";
const FIELD = "the field has another word";

/** Code that holds the state of sessions, users and totals. */
const LEDGERS = /^pipeline\/((sessions|users|totals)\/.*|[^/]+)\.ts$/;
const SPLITTABLE = /^(packages\/beam\/splittable|pipeline\/io\/pubsub)\//;
const PATCHES = /^(packages\/beam\/|docs\/adr\/0003|docs\/architecture\.md$)/;

export const BANNED_PHRASES: readonly BannedPhrase[] = [
  // "There is none" is plain English.
  {
    pattern: /(?<!\bthere )\b(is|are|was|were) none\b/i,
    reason: IDIOM,
    suggestion: "is not valid, does not exist, there is no",
  },
  { pattern: /\bso many\b/i, reason: IDIOM, suggestion: "the number: at most n, n at a time" },
  { pattern: /\bat one time\b/i, reason: IDIOM, suggestion: "at the same time, concurrent" },
  { pattern: /\bwhoever\b/i, reason: "stiff", suggestion: "the caller, the user, a client that" },
  { pattern: /\bstands\b|\bstand (there|in|for|here)\b/i, reason: IDIOM, suggestion: "is, exists, replaces, means" },
  { pattern: /\b(is|are|was|were) waited\b/i, reason: IDIOM, suggestion: "waits, with a subject" },
  { pattern: /\bthat which\b/i, reason: "stiff", suggestion: "what, the one that" },
  { pattern: /\bunder way\b/i, reason: FIELD, suggestion: "in flight, running" },
  { pattern: /\b(come|comes|came|coming) again\b/i, reason: FIELD, suggestion: "is redelivered, is repeated" },
  { pattern: /\b(go|goes|going|went|gone) on from\b/i, reason: FIELD, suggestion: "resumes from" },
  { pattern: /\b(go|goes|going|went|gone) round the\b/i, reason: FIELD, suggestion: "bypasses" },
  { pattern: /\blook(s|ed|ing)? first\b/i, reason: FIELD, suggestion: "runs preflight checks" },
  { pattern: /\b(give|gives|gave|given|giving) out\b/i, reason: FIELD, suggestion: "emits, returns" },
  { pattern: /\bas ever\b/i, reason: IDIOM, suggestion: "as before, as always, or leave it out" },
  { pattern: /\bmore than nothing\b/i, reason: IDIOM, suggestion: "greater than 0, not empty" },
  { pattern: /\bmend(s|ed|ing)?\b/i, reason: FIELD, suggestion: "patch, fix" },
  { pattern: /mended|mendsSdk/i, reason: FIELD, suggestion: "patched", inCode: true, files: /\.(mjs|ts)$/ },
  { pattern: /(?<!BEAM_)repair/i, reason: FIELD, suggestion: "patch", inCode: true, files: PATCHES },
  {
    pattern: /findings\b|Findings?\b/,
    reason: FIELD,
    suggestion: "diagnostics, problems, request context",
    inCode: true,
  },
  {
    pattern: /\b(give|gives|gave|given|giving)(Back\b| back\b)/,
    reason: FIELD,
    suggestion: "nack, return",
    inCode: true,
  },
  { pattern: /wireForms?\b/i, reason: FIELD, suggestion: "encoding", inCode: true },
  { pattern: /settlement/i, reason: FIELD, suggestion: "ack tracker", inCode: true },
  { pattern: /bucket/i, reason: "state has shards", suggestion: "shard", inCode: true, files: LEDGERS },
  {
    pattern: /(?<!-)\blate\b(?!-after| data\b| panes?\b| firings?\b|: after)/i,
    reason: "late is what Beam calls data behind the watermark",
    suggestion: "stale",
    inCode: true,
    files: LEDGERS,
  },
  {
    pattern: /(?<!\.)\bslices?\b|\bslice[A-Z]\w*|\b\w+Slice\w*/,
    reason: FIELD,
    suggestion: "self-checkpoint, residual, resume delay",
    inCode: true,
    files: SPLITTABLE,
  },
];

/** A place where a phrase is right. */
export interface PhraseException {
  readonly file: string;
  /** The phrase as it is written there, in lower case. */
  readonly phrase: string;
  readonly reason: string;
}

const STEP_NAME = "a step name: running jobs know it";
const PYTHON = "a comparison in Python";

export const PHRASE_EXCEPTIONS: readonly PhraseException[] = [
  { file: "bench/peers/python/peer.py", phrase: "is none", reason: PYTHON },
  { file: "packages/gcp/emulators/python/bigquery_emulator.py", phrase: "is none", reason: PYTHON },
  { file: "pipeline/runners/dataflow/submitter/submit.py", phrase: "is none", reason: PYTHON },
  { file: "pipeline/eventPipeline.test.ts", phrase: "bucket", reason: STEP_NAME },
  { file: "pipeline/sessions/countSessions.ts", phrase: "bucket", reason: STEP_NAME },
  { file: "pipeline/sessions/windowSessions.ts", phrase: "bucket", reason: STEP_NAME },
  { file: "pipeline/users/countUsers.ts", phrase: "bucket", reason: STEP_NAME },
];
