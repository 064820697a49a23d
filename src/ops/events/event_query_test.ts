import assert from "node:assert/strict";
import { StatusQueryError } from "../status/status_query.ts";
import { agentEvents } from "./agent_event.ts";
import { parseEventQuery } from "./event_query.ts";
import type { ProgramEvent } from "./program_event.ts";
import { serverEvents } from "./server_event.ts";

const time = "2026-01-01T00:00:00.000Z";
const agent: ProgramEvent = { type: "agent-connected", time, agent: "a" };
const client = { name: "kube-apiserver", address: "10.0.0.1:5000" };
const dial: ProgramEvent = { type: "dial", time, agent: "a", client, destination: "10.1.2.3:10250", outcome: "ok" };
const refused: ProgramEvent = { type: "dial", time, client, destination: "10.1.2.3:22", outcome: "failed" };
const closed: ProgramEvent = { type: "tunnel-closed", time, agent: "b", client, destination: "[fd00::1]:443" };
const ready: ProgramEvent = { type: "readiness", time };
const all = [agent, dial, refused, closed, ready];

const passing: readonly (readonly [query: string, events: readonly ProgramEvent[]])[] = [
  ["", all],
  ["type=dial", [dial, refused]],
  ["type=agent-connected&type=tunnel-closed", [agent, closed]],
  ["type=agent-connected,readiness", [agent, ready]],
  ["agent=a", [agent, dial]],
  ["agent=", all],
  ["client=apiserver", [dial, refused, closed]],
  ["client=10.0.0.1", [dial, refused, closed]],
  ["client=nobody", []],
  ["destination=:10250", [dial]],
  ["outcome=failed", [refused]],
  ["type=dial&agent=a&client=kube&destination=10.1&outcome=ok", [dial]],
  ["type=tunnel-closed&outcome=ok", []],
];

for (const [query, expected] of passing) {
  Deno.test(`of the events pass for ${JSON.stringify(query)} those that have all that it asks for`, () => {
    const { matches } = parseEventQuery(new URLSearchParams(query), serverEvents);
    assert.deepEqual(all.filter(matches), expected);
  });
}

Deno.test("an id that is longer than what is shown of it is found by the whole of it", () => {
  const id = "i".repeat(1_000);
  const { matches } = parseEventQuery(new URLSearchParams({ agent: id }), serverEvents);
  assert.ok(matches({ type: "dial", time, agent: `${"i".repeat(256)}…` }));
  assert.ok(!matches({ type: "dial", time, agent: "i" }));
});

Deno.test("a query that could find nothing is refused, and says what there is", () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ["tipe=dial", /^unknown parameter "tipe"; there are type, agent, client, destination, outcome$/],
    ["type=dail", /^parameter type is to be one of agent-connected, agent-disconnected, dial, .*, not "dail"$/],
    ["type=", /not ""$/],
    ["type=dial,", /not ""$/],
    ["type=hello", /not "hello"$/],
    ["outcome=maybe", /^parameter outcome is to be ok or failed, not "maybe"$/],
    ["agent=a&agent=b", /^parameter agent is there twice$/],
    ["server=s", /^unknown parameter "server"/],
  ];
  for (const [query, message] of refusals) {
    assert.throws(() => parseEventQuery(new URLSearchParams(query), serverEvents), (error) => {
      assert.ok(error instanceof StatusQueryError);
      assert.match(error.message, message);
      return true;
    }, query);
  }
  assert.throws(() => parseEventQuery(new URLSearchParams("client=x"), agentEvents), /unknown parameter "client"/);
  assert.ok(parseEventQuery(new URLSearchParams("server=s&type=link-closed"), agentEvents).types.has("link-closed"));
});

Deno.test("thousands of types are read as often as there are, and no more", () => {
  let read = 0;
  class CountedQuery extends URLSearchParams {
    override getAll(name: string): string[] {
      const values = super.getAll(name);
      read += values.length;
      return values;
    }
  }
  const count = 5_000;
  parseEventQuery(new CountedQuery("type=dial&".repeat(count)), { types: ["dial"], filters: [] });
  assert.ok(read <= 2 * count, `${read} values were read`);
});
