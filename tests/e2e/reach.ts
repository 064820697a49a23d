import assert from "node:assert/strict";
import { ProxyError } from "../../src/client/mod.ts";
import { until } from "../support/assert/until.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

/** The error of a dial; empty when it succeeded. */
export async function refusal(launched: Launched, address: string): Promise<string> {
  await using client = await launched.client();
  try {
    await using _tunnel = await client.dial(address);
    return "";
  } catch (error) {
    assert.ok(error instanceof ProxyError, String(error));
    assert.equal(error.code === "not-allowed", error.message.includes("not allowed"), error.code);
    return error.message;
  }
}

/** A server passes on what its lists and its client's own allow. */
export async function passesOn(kind: FrontendKind, ...flags: readonly string[]): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind, {
    serverFlags: [
      "--destinations=127.0.0.0/8,*.example,localhost",
      "--deny-destinations=127.0.0.9",
      `--client-destinations=test client=127.0.0.0/8:${echo.port},localhost,nobody=*`,
      ...flags,
    ],
  });
  assert.equal(await refusal(launched, `127.0.0.1:${echo.port}`), "");
  assert.equal(await refusal(launched, `[::ffff:127.0.0.1]:${echo.port}`), "");
  assert.equal(await refusal(launched, `localhost:${echo.port}`), "");
  const reasons: Readonly<Record<string, string>> = {
    "192.0.2.1:443": "not among this server's --destinations",
    "example:443": "not among this server's --destinations",
    "127.0.0.9:443": "among this server's --deny-destinations",
    "127.0.0.1:1": "not among this client's --client-destinations",
    "web.example:443": "not among this client's --client-destinations",
  };
  for (const [address, why] of Object.entries(reasons)) {
    const text = await refusal(launched, address);
    assert.ok(text.includes(`dial tcp ${address}: not allowed: ${why}`), `${address}: ${text}`);
  }
  const { program, healthPort } = launched.server;
  const line = /refused client test client: dial tcp 192\.0\.2\.1:443: not allowed: /;
  await until("the log says so", () => line.test(program.log));
  const { body } = await httpGet(healthPort, "/metrics");
  assert.match(body, /^konnectivity_network_proxy_server_dial_failure_count\{reason="not_allowed"\} 5$/m);
}
