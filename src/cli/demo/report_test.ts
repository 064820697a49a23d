import assert from "node:assert/strict";
import { leakTest } from "../../../tests/support/leak_free.ts";
import { parseTestClientFlags } from "../test_client_flags.ts";
import { parseAgentFlags } from "../agent_flags.ts";
import { parseServerFlags } from "../server_flags.ts";
import { agentFlags, clientFlags, type FrontendPlaces, frontends, serverFlags } from "./frontends.ts";
import { commandsToTry, type Passage, passageTable } from "./report.ts";

const places: FrontendPlaces = { clients: 1111, agents: 2222, serverHealth: 3333, serverAdmin: 4444 };
const socketPlaces: FrontendPlaces = { ...places, clients: "/tmp/a b/clients.sock" };

function passages(): Passage[] {
  return frontends.map((frontend) => ({
    frontend,
    places: frontend.transport === "unix" ? socketPlaces : places,
    status: 200,
    ms: 12.3,
  }));
}

leakTest("the table has a line for each frontend, its columns below each other", () => {
  assert.deepEqual(passageTable(passages(), 8000), [
    "FRONTEND                   CLIENT DIALS           AGENT DIALS             STATUS  MS",
    "gRPC, mutual TLS           127.0.0.1:1111         127.0.0.1:8000/success  200     12",
    "gRPC, Unix socket          /tmp/a b/clients.sock  127.0.0.1:8000/success  200     12",
    "HTTP CONNECT, mutual TLS   127.0.0.1:1111         127.0.0.1:8000/success  200     12",
    "HTTP CONNECT, Unix socket  /tmp/a b/clients.sock  127.0.0.1:8000/success  200     12",
  ]);
});

leakTest("commands to try name the task from source and the launcher beside a bundle", () => {
  const fromSource = commandsToTry(passages(), 8000, "/c", "file:///p/main.ts");
  assert.ok(fromSource.includes(
    "deno task --config /p/deno.json test-client --mode=grpc --proxy-host= --proxy-port=0 " +
      "'--proxy-uds=/tmp/a b/clients.sock' --request-host=127.0.0.1 --request-port=8000 --request-path=success",
  ));
  assert.ok(fromSource.includes(
    "curl -v -p --proxy-key /c/frontend/private/proxy-client.key --proxy-cert /c/frontend/issued/proxy-client.crt " +
      "--proxy-cacert /c/frontend/issued/ca.crt --proxy-cert-type PEM -x https://127.0.0.1:1111 " +
      "http://127.0.0.1:8000/success",
  ));
  const fromBundle = commandsToTry(passages(), 8000, "/c", "file:///p/dist/konnectivity.js");
  assert.ok(fromBundle.some((line) => line.startsWith("/p/bin/proxy-test-client --mode=http-connect ")));
});

leakTest("the programs take the flags that the demo gives them", () => {
  const none = () => undefined;
  for (const frontend of frontends) {
    const at = frontend.transport === "unix" ? socketPlaces : places;
    assert.equal(parseServerFlags(serverFlags(frontend, at, "/c"), none).kind, "options");
    assert.equal(parseAgentFlags(agentFlags(at, { health: 1, admin: 2 }, 8000, "/c"), none).kind, "options");
    assert.equal(parseTestClientFlags(clientFlags(frontend, at, 8000, "/c")).kind, "options");
  }
});
