/** Some of the command lines that field_long_test.ts runs. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { distributions } from "./distributions.ts";
import { runWithStandIn } from "./field_tests.ts";

/** Unlike each other: protocols, users, ways to the server, what is refused. */
const some = [
  "Kubernetes on GCE, HTTP CONNECT",
  "OpenShift HyperShift before July 2026, agents on nodes",
  "k0s",
  "Open Cluster Management",
  "upstream's older end-to-end test",
];

leakTest("what some distributions run as server and agent works as the corpus says", async (t) => {
  const cases = distributions.filter(({ distribution }) => some.includes(distribution));
  assert.equal(cases.length, some.length);
  await runWithStandIn(t, cases);
});
