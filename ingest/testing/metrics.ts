import { eventually } from "./fixture";

/** The metrics of a replica: values by series, written as Prometheus does. */
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

/** Waits until a replica has this many events in flight to Pub/Sub. @throws Error when it does not */
export function eventsInFlight(url: string, events: number): Promise<void> {
  const holds = async (): Promise<boolean> => (await metricsOf(url)).get("ingest_events_in_flight") === events;
  return eventually(holds, `${events} events in flight`);
}
