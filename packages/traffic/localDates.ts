/**
 * Local dates as Intl writes them, moment by moment. Slow, and independent of the table of offsets by which the pipeline computes
 * days.
 * @param timeZone IANA name
 * @returns a function from epoch ms to YYYY-MM-DD
 */
export function localDates(timeZone: string): (ms: number) => string {
  if (timeZone === "UTC") return (ms) => new Date(ms).toISOString().split("T")[0] ?? "";
  const format = new Intl.DateTimeFormat("en-US", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  return (ms) => {
    const [month = "", day = "", year = ""] = format.format(ms).split("/");
    return `${year.padStart(4, "0")}-${month}-${day}`;
  };
}
