import assert from "node:assert/strict";
import { aggregateServerCount } from "./server_count.ts";

Deno.test("[agent 9-6] Aggregate: max, leases 24 / responses 42: 42 servers", () => {
  assert.equal(aggregateServerCount("max", 42, 24), 42);
});

Deno.test("[agent 9-7] [pains a-22] Aggregate: max, leases 6 / responses 3: 6 servers", () => {
  assert.equal(aggregateServerCount("max", 3, 6), 6);
});

Deno.test("[agent 9-8] Aggregate: max, 0 / 0: 1 server", () => {
  assert.equal(aggregateServerCount("max", 0, 0), 1);
});

Deno.test("[agent 9-9] Aggregate: default, no lease counter, responses 3: 3 servers", () => {
  assert.equal(aggregateServerCount("default", 3, undefined), 3);
});

Deno.test("[agent 9-10] Aggregate: default, leases 3 / responses 6: 3 servers", () => {
  assert.equal(aggregateServerCount("default", 6, 3), 3);
});

Deno.test("[agent 9-11] Aggregate: default, leases 0 / responses 6: 1 server", () => {
  assert.equal(aggregateServerCount("default", 6, 0), 1);
});

Deno.test("[agent 9-12..13] Response counter: 5 counts as 5, 0 as 1", () => {
  assert.equal(aggregateServerCount("default", 5, undefined), 5);
  assert.equal(aggregateServerCount("default", 0, undefined), 1);
});

Deno.test("[agent weak 26] a negative count counts as 1", () => {
  assert.equal(aggregateServerCount("default", -3, undefined), 1);
  assert.equal(aggregateServerCount("max", -3, -1), 1);
});
