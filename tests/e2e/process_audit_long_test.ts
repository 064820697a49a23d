import { leakTest } from "../support/assert/leak_free.ts";
import { rotatesUnderLoad } from "./audit_log.ts";

for (const kind of ["grpc-tls", "connect-tls"] as const) {
  leakTest(`${kind}: rotated under load, the log has every dial and every end, once`, () => rotatesUnderLoad(kind));
}
