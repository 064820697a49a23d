import assert from "node:assert/strict";
import { parseAgentFlags } from "../agent/agent_flags.ts";
import { parseServerFlags } from "../server/server_flags.ts";
import { parseTestClientFlags } from "../test/test_client_flags.ts";
import { agentFlags, allFrontends, clientFlags, commandsToTry, serverFlags } from "./frontends.ts";

let port = 1110;
const frontends = allFrontends("/tmp/a b", () => ++port);

Deno.test("commands to try can be pasted into a shell", () => {
  const commands = frontends.flatMap((frontend) =>
    commandsToTry(frontend, 8000, "/c", ["deno", "task", "test-client"])
  );
  assert.ok(commands.includes(
    "deno task test-client --mode=grpc --proxy-host= --proxy-port=0 '--proxy-uds=/tmp/a b/grpc.sock' " +
      "--request-host=127.0.0.1 --request-port=8000 --request-path=success",
  ));
  assert.ok(
    commands.includes(
      "curl -v -p --proxy-cacert /c/frontend/issued/ca.crt --proxy-cert /c/frontend/issued/proxy-client.crt " +
        "--proxy-key /c/frontend/private/proxy-client.key --proxy-cert-type PEM -x https://127.0.0.1:1122 " +
        "http://127.0.0.1:8000/success",
    ),
    commands.join("\n"),
  );
});

Deno.test("the programs take the flags that the demo gives them", () => {
  const none = () => undefined;
  for (const frontend of frontends) {
    assert.equal(parseServerFlags(serverFlags(frontend, "/c"), none).kind, "options");
    assert.equal(parseAgentFlags(agentFlags(frontend, 8000, "/c"), none).kind, "options");
    assert.equal(parseTestClientFlags(clientFlags(frontend, 8000, "/c")).kind, "options");
  }
});
