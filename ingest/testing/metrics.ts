import { waitUntil } from "@eventlogger/process/wait";

/** The metrics of a replica: the value of each series, by the series as Prometheus writes it. */
export async function metricsOf(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    samples.map((line) => {
      const blank = line.lastIndexOf(" ");
      return [line.slice(0, blank), Number(line.slice(blank + 1))] as const;
    }),
  );
}

/** Waits until a replica has so many events in flight. @throws TimeoutError */
export async function inFlight(url: string, events: number): Promise<void> {
  const isInFlight = async (): Promise<boolean> => (await metricsOf(url)).get("ingest_events_in_flight") === events;
  await waitUntil(`${events} events in flight`, isInFlight, { timeoutMs: 20_000 });
}
