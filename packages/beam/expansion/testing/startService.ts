/** A program that starts an expansion service and waits to be killed: `startService.js CLASSPATH LOGFILE`. */
import { startExpansionService } from "../service";

const [classpath = "", logFile = ""] = process.argv.slice(2);
void startExpansionService({ classpath, logFile }).then(({ address }) => {
  process.stdout.write(`${address}\n`);
  setInterval(() => {}, 60_000);
});
