import assert from "node:assert/strict";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import type { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

export async function serverStatus({ server }: Launched, query = ""): Promise<ServerStatus> {
  const { status, body } = await httpGet(server.adminPort, `/status${query}`);
  assert.equal(status, 200, body);
  return JSON.parse(body) as ServerStatus;
}
