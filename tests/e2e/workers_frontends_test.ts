import { leakTest } from "../support/assert/leak_free.ts";
import { sharesFrontend } from "./shared_frontend.ts";

for (const kind of ["grpc-tls"] as const) {
  leakTest(`${kind}: workers share the frontend, and the agent has a link to each`, () => sharesFrontend(kind));
}
