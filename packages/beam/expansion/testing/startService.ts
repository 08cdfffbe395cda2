/** Starts an expansion service, prints its address, and runs until it is killed: `startService.js CLASSPATH LOGFILE`. */
import { startExpansionService } from "../service";

const [classpath = "", logFile = ""] = process.argv.slice(2);
void startExpansionService({ classpath, logFile }).then(({ address }) => {
  process.stdout.write(`${address}\n`);
  setInterval(() => {}, 60_000);
});
