import { leakTest } from "../support/assert/leak_free.ts";
import { harmsNothing } from "./strangers.ts";

for (const kind of ["connect-uds", "grpc-tls"] as const) {
  leakTest(
    `[server W12] ${kind}: what strangers do at any port ends no process and no tunnel`,
    (t) => harmsNothing(t, kind),
  );
}
