import { grouped } from "@eventlogger/options/terminal";
import type { Counts } from "./sendAll";

/** A progress line: `[#####-----]  50 % ...`; without the bar when the total is infinite. */
export function progressText(counts: Counts, total: number, retries: number, elapsedMs: number): string {
  const done = counts.accepted + counts.refused + counts.failed;
  const parts = [`${grouped((done * 1000) / Math.max(1, elapsedMs))} events/s`];
  if (counts.refused) parts.push(`${grouped(counts.refused)} refused`);
  if (counts.failed) parts.push(`${grouped(counts.failed)} failed`);
  if (retries) parts.push(`${grouped(retries)} retries`);
  if (!Number.isFinite(total)) return `${grouped(done)} events · ${parts.join(" · ")}`;
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * 24);
  const bar = `[${"#".repeat(filled)}${"-".repeat(24 - filled)}]`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)} % · ${grouped(done)}/${grouped(total)} · ${parts.join(" · ")}`;
}

/** The final summary line. */
export function summaryText(counts: Counts, retries: number, elapsedMs: number): string {
  const sent = counts.accepted + counts.refused + counts.failed;
  const rate = grouped((sent * 1000) / Math.max(1, elapsedMs));
  const times = `${(elapsedMs / 1000).toFixed(1)} s (${rate} events/s)`;
  const { accepted, refused, failed } = counts;
  return (
    `sent ${grouped(sent)} events in ${times}: ${grouped(accepted)} accepted, ${grouped(refused)} refused, ` +
    `${grouped(failed)} failed, ${grouped(retries)} retries`
  );
}
