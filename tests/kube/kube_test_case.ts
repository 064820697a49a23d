import { leakTest } from "../support/leak_free.ts";
import { findKubeBinaries, type KubeBinaries } from "./binaries.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";

/** Tests of one file that share a cluster. */
export interface ClusterTests {
  /** A test that is skipped, and says why, where there can be no cluster; in CI it fails then. */
  test(name: string, body: (cluster: Cluster) => Promise<void>): void;
}

/** Has the tests of a file run on a cluster of their own, which is started before the first and ended after the last. */
export async function clusterTests(options: () => ClusterOptions = () => ({})): Promise<ClusterTests> {
  const binaries = await binariesOrSkip();
  if (binaries === undefined) {
    return { test: (name) => Deno.test({ name, ignore: true, fn: () => {} }) };
  }
  let cluster: Cluster | undefined;
  Deno.test.beforeAll(async () => {
    cluster = await Cluster.start(binaries, options());
  });
  Deno.test.afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  return {
    test: (name, body) =>
      leakTest(name, async () => {
        if (cluster === undefined) throw new Error("the cluster did not start");
        await body(cluster);
      }),
  };
}

/** The programs of a cluster. Without them: undefined, and a word why. @throws in CI */
export async function binariesOrSkip(): Promise<KubeBinaries | undefined> {
  const found = await findKubeBinaries();
  if (found.kind === "found") return found.binaries;
  if (Deno.env.get("CI") === "true") throw new Error(`no kube-apiserver can be had: ${found.why}`);
  // deno-lint-ignore no-console -- what a person who runs the tests is told
  console.log(`skipping tests against a real kube-apiserver: ${found.why}`);
  return undefined;
}
