import { leakTest } from "../support/assert/leak_free.ts";
import { passesOn } from "./reach.ts";

for (const kind of ["grpc-tls", "connect-tls"] as const) {
  for (const flag of ["--workers=2", "--http2=runtime"]) {
    leakTest(
      `a server passes on what its lists and its client's own allow: ${kind} ${flag}`,
      () => passesOn(kind, flag),
    );
  }
}
