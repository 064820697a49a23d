import { getLogger } from "@logtape/logtape";
import { type AdmissionEvents, PagesAdmission } from "../net/edge/admission.ts";
import type { Descriptors } from "../net/edge/descriptors.ts";
import type { HttpAddress, HttpHandler, HttpServer } from "../net/pages/http_server.ts";
import { type PatientEvents, serveHttpPatiently } from "../net/pages/patient_server.ts";
import type { ListenerStatus } from "../ops/status/program_status.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { formatHostPort } from "../wire/destination/host_port.ts";

const log = getLogger(["pages"]);

/** A port with pages for operators, as its flags call it. */
export type PagesPort = "health" | "admin";

/**
 * Opens a port with pages for operators, or waits for it while all else goes on.
 * @param descriptors of the process
 * @throws {ListenError} as {@link serveHttpPatiently}
 */
export async function openPages(
  name: PagesPort,
  address: HttpAddress,
  { fetch }: { readonly fetch: HttpHandler },
  descriptors: Descriptors,
  events: AdmissionEvents,
): Promise<HttpServer> {
  const admission = new PagesAdmission(name, descriptors, events);
  return await serveHttpPatiently(address, fetch, systemClock, patientEvents(name), admission);
}

/** Says what becomes of the port. */
function patientEvents(port: PagesPort): PatientEvents {
  return {
    failed: ({ message }) =>
      log.error("no {port} port: {reason}; it is tried again each second, and all else goes on without it", {
        port,
        reason: message,
      }),
    opened: () => log.info("the {port} port is open now", { port }),
  };
}

/** The entry of the port in a status, where it is open. */
export function pagesListener(name: PagesPort, host: string, port: number | undefined): ListenerStatus[] {
  return port === undefined ? [] : [{ name, address: formatHostPort(host, port), protocol: "http", tls: false }];
}
