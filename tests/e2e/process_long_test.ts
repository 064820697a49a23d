import { leakTest } from "../support/assert/leak_free.ts";
import { drainsServer, killsAgent, killsServer } from "./kills_and_signals.ts";

leakTest(
  "[pains a-11] grpc-tls: a server that is killed leaves no client waiting, and its agent joins the one that follows",
  () => killsServer("grpc-tls"),
);

leakTest(
  "[server W18] [pains a-14] grpc-uds: an agent that is killed fails pending dials with the reason, ends its tunnels, and /readyz says so",
  () => killsAgent("grpc-uds"),
);

leakTest(
  "[server W30] connect-tls: SIGTERM with open tunnels refuses new ones, lets these finish, and ends with 0",
  () => drainsServer("connect-tls"),
);
