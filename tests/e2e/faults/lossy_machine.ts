import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { whyMissing } from "../../support/assert/needed.ts";
import { builtProject } from "../../support/processes/built_project.ts";

const lab = fileURLToPath(new URL("network_lab.ts", import.meta.url));
const programs = await whyMissing({ nftables: ["nft", "--version"], iproute2: ["ip", "-V"] });
const machine = programs === undefined ? await whyNoFilter() : undefined;
export const lacks = { programs, machine };

/** Why there can be no machine here that loses packets; undefined where there can. */
async function whyNoFilter(): Promise<string | undefined> {
  const args = ["--net", "nft", "add table inet fault"];
  const { success } = await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output();
  return success ? undefined : "network namespaces with a filter cannot be made here";
}

/** Plays a scenario of the lab on a machine of its own. */
export async function play(scenario: string): Promise<void> {
  // Not there, where nothing can be reached.
  await builtProject();
  const command = `ip link set lo up && exec "$@"`;
  const run = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", lab, scenario];
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", command, "sh", ...run],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
}
