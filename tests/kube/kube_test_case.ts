import { leakTest } from "../support/assert/leak_free.ts";
import { findKubeBinaries, type KubeBinaries, type KubeBinariesFound } from "./binaries.ts";
import { Cluster } from "./cluster.ts";

/** Tests of one file that share a cluster. */
export interface ClusterTests {
  /** A test that is skipped, and says why, where there can be no cluster; in CI it fails then. */
  test(name: string, body: (cluster: Cluster, t: Deno.TestContext) => Promise<void>): void;
}

/** Has the tests of a file run on a cluster of their own, which is started before the first and ended after the last. */
export async function clusterTests(): Promise<ClusterTests> {
  const found = await findOrFail();
  if (found.kind === "missing") return { test: (name) => skippedTest(name, found.why) };
  let cluster: Cluster | undefined;
  Deno.test.beforeAll(async () => {
    cluster = await Cluster.start(found.binaries);
  });
  Deno.test.afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  return {
    test: (name, body) =>
      leakTest(name, async (t) => {
        if (cluster === undefined) throw new Error("the cluster did not start");
        await body(cluster, t);
      }),
  };
}

/** A test that starts clusters by itself; skipped as those of {@link clusterTests}. */
export async function kubeTest(
  name: string,
  body: (binaries: KubeBinaries, t: Deno.TestContext) => Promise<void>,
): Promise<void> {
  const found = await findOrFail();
  if (found.kind === "missing") skippedTest(name, found.why);
  else leakTest(name, (t) => body(found.binaries, t));
}

/** Stands for a test that cannot run here, with the reason in its title. */
export function skippedTest(name: string, why: string): void {
  Deno.test({ name: `${name} (skipped: ${why})`, ignore: true, fn: () => {} });
}

let finding: Promise<KubeBinariesFound> | undefined;

/** @throws in CI, when there can be no cluster */
async function findOrFail(): Promise<KubeBinariesFound> {
  finding ??= findKubeBinaries();
  const found = await finding;
  if (found.kind === "missing" && Deno.env.get("CI") === "true") {
    throw new Error(`no kube-apiserver can be had: ${found.why}`);
  }
  return found;
}
