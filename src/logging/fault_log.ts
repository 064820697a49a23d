import { getLogger } from "@logtape/logtape";
import { onFault } from "../faults/fault.ts";

const log = getLogger(["faults"]);

/** Logs each fault of this program with its stack, until the result is called. The log writes few of one kind. */
export function logFaults(): () => void {
  return onFault((place, error) => {
    log.error("internal error, which ended one {place} and nothing else; please report it: {stack}", {
      place,
      stack: error.stack ?? String(error),
    });
  });
}
