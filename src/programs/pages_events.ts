import { getLogger } from "@logtape/logtape";
import type { PatientEvents } from "../net/pages/patient_server.ts";

const log = getLogger(["pages"]);

/** Says what becomes of a port with pages for operators. @param port as its flags call it */
export function pagesEvents(port: "health" | "admin"): PatientEvents {
  return {
    failed: ({ message }) =>
      log.error("no {port} port: {reason}; it is tried again each second, and all else goes on without it", {
        port,
        reason: message,
      }),
    opened: () => log.info("the {port} port is open now", { port }),
  };
}
