import { leakTest } from "../support/assert/leak_free.ts";
import { rotatesUnderLoad } from "./audit_log.ts";

leakTest("connect-tls: rotated under load, the log has every dial and every end, once", async () => {
  await rotatesUnderLoad("connect-tls");
});
