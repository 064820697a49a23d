/**
 * The command lines of distributions, with a stand-in that reviews tokens; `tests/kube/field_test.ts` runs what asks the
 * Kubernetes API with a real one, and leases there alone.
 */
import { leakTest } from "../support/assert/leak_free.ts";
import { isForeign } from "../support/processes/processes.ts";
import { distributions } from "./distributions.ts";
import { fakeFieldApi } from "./field_api.ts";
import { runFieldCases } from "./field_tests.ts";

// The original's programs ask the API in a form that the stand-in does not know.
const without = isForeign("server") || isForeign("agent") ? ["tokens", "leases"] : ["leases"];

leakTest("what distributions run as server and agent works as the corpus says", async (t) => {
  await using api = await fakeFieldApi();
  await runFieldCases(t, distributions.filter((field) => !without.includes(field.api)), api);
});
