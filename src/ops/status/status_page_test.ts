import assert from "node:assert/strict";
import { Rates, readPage } from "./status_page.ts";
import { parseStatusQuery, StatusQueryError } from "./status_query.ts";

const all = () => true;

Deno.test("a page holds what the filters let pass, behind what earlier pages hold", async () => {
  const numbers = Array.from({ length: 20 }, (_, at) => at);
  const even = (at: number) => at % 2 === 0;
  const page = await readPage(numbers, { from: 3, size: 4 }, even, String);
  assert.deepEqual(page, { total: 20, matched: 10, from: 3, items: ["6", "8", "10", "12"] });
  assert.deepEqual((await readPage(numbers, { from: 20, size: 4 }, all, String)).items, []);
  assert.deepEqual((await readPage([], { from: 0, size: 4 }, all, String)).total, 0);
});

Deno.test("a long table does not hold the event loop until it is read", async () => {
  let reading = true;
  let turns = 0;
  const count = () => {
    turns++;
    if (reading) setTimeout(count, 0);
  };
  // It ends once others have had their turns, or when it is clear that they get none.
  const limit = performance.now() + 20_000;
  function* long() {
    for (let at = 0; turns < 3 && performance.now() < limit; at++) yield at;
  }
  setTimeout(count, 0);
  await readPage(long(), { from: 0, size: 1 }, all, String);
  reading = false;
  assert.equal(turns, 3);
});

Deno.test("a table that changes while it is read is no error", async () => {
  const table = new Map([[1, "a"], [2, "b"], [3, "c"]]);
  const page = await readPage(table.values(), { from: 0, size: 10 }, (text) => {
    if (text === "a") table.delete(2);
    return true;
  }, (text) => text);
  assert.deepEqual(page.items, ["a", "c"]);
});

Deno.test("a rate is the average since the beginning, then since the reading before, and is not worked out twice a second", () => {
  const rates = new Rates();
  const subject = {};
  assert.deepEqual(rates.of(subject, 10, { sent: 1000, received: 20 }), { sent: 100, received: 2 });
  assert.deepEqual(rates.of(subject, 10, { sent: 5000, received: 20 }), { sent: 100, received: 2 }, "right after");
});

Deno.test("a query is read with defaults and bounds", () => {
  const query = parseStatusQuery(new URLSearchParams("agents=7&agents_from=14&client=x&destination=:443"));
  assert.deepEqual(query.agents, { from: 14, size: 7 });
  assert.deepEqual(query.tunnels, { from: 0, size: 100 });
  assert.deepEqual([query.agent, query.client, query.destination], ["", "x", ":443"]);
  for (const bad of ["agents=1e3", "agents=", "agents=1001", "dials_from=-1", "x=1", "agent=a&agent=b"]) {
    assert.throws(() => parseStatusQuery(new URLSearchParams(bad)), StatusQueryError, bad);
  }
});
