import { neededTest } from "../support/assert/needed.ts";
import { foreignClients } from "./clients/foreign_client.ts";
import { seesWhatGrpcSays } from "./foreign_calls.ts";
import { runtimeHttp2 } from "./topology.ts";

const places = [
  ["grpc-uds", "own"],
  ["grpc-tls", "runtime", ...runtimeHttp2],
] as const;

for (const client of foreignClients) {
  for (const [kind, http2, ...serverFlags] of places) {
    neededTest(
      `${client.name} at ${kind}, --http2=${http2}: its bytes, ends and refusals are what gRPC and the packets say`,
      client.why,
      (t) => seesWhatGrpcSays(t, client, kind, ...serverFlags),
    );
  }
}
