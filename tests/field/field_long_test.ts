/**
 * The command lines of distributions, with a stand-in that reviews tokens; `tests/kube/field_test.ts` runs what asks the
 * Kubernetes API with a real one, and leases there alone.
 */
import { leakTest } from "../support/assert/leak_free.ts";
import { distributions } from "./distributions.ts";
import { runWithStandIn } from "./field_tests.ts";

leakTest("what distributions run as server and agent works as the corpus says", async (t) => {
  await runWithStandIn(t, distributions);
});
