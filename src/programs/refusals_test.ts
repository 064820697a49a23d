import assert from "node:assert/strict";
import type { FileProbe } from "../flags/file_probe.ts";
import { helpText } from "../flags/help.ts";
import { agentProgram, parseAgentFlags } from "./agent/agent_flags.ts";
import { originalAgentFault, validateAgentOptions } from "./agent/agent_validation.ts";
import { refusalOf, refusals, refusedBy } from "./refusals.ts";
import { parseServerFlags, serverProgram } from "./server/server_flags.ts";
import { originalServerFault, validateServerOptions } from "./server/server_validation.ts";

const probe: FileProbe = () => Promise.resolve({ kind: "readable" });
const env = () => undefined;

const sound = {
  "proxy-server": ["server-cert", "server-key", "server-ca-cert", "cluster-cert", "cluster-key", "cluster-ca-cert"]
    .map((flag) => `--${flag}=f`),
  "proxy-agent": ["--ca-cert=f"],
};

/** What the original's rules say of a command line, and what ours do. */
async function judged(program: "proxy-server" | "proxy-agent", args: readonly string[]) {
  const all = [...sound[program], ...args];
  if (program === "proxy-server") {
    const parsed = parseServerFlags(all, env);
    if (parsed.kind !== "options") return assert.fail(parsed.kind);
    const { options } = parsed;
    return { original: await originalServerFault(options, probe), ours: await validateServerOptions(options, probe) };
  }
  const parsed = parseAgentFlags(all, env);
  if (parsed.kind !== "options") return assert.fail(parsed.kind);
  const { options } = parsed;
  return { original: await originalAgentFault(options, probe), ours: await validateAgentOptions(options, probe) };
}

Deno.test("what the table of refusals says is refused, and the original's rules take it", async () => {
  for (const refusal of refusals) {
    const { program, what, example } = refusal;
    if (example === undefined) continue;
    const { original, ours } = await judged(program, example);
    assert.equal(original, undefined, what);
    assert.equal(ours.kind, "refused", what);
    assert.equal(refusalOf(program, ours.kind === "refused" ? ours.message : ""), refusal, what);
  }
  for (const program of ["proxy-server", "proxy-agent"] as const) {
    assert.equal((await judged(program, [])).ours.kind, "ok");
  }
});

Deno.test("help names what is refused", () => {
  for (const program of [serverProgram, agentProgram]) {
    const text = helpText(program).replaceAll(/\s+/g, " ");
    const [, refused = ""] = text.split("Refused at the start, unlike by the original:");
    const listed = refusedBy(program === serverProgram ? "proxy-server" : "proxy-agent");
    assert.ok(listed.length > 5);
    for (const what of listed) assert.ok(refused.includes(what), what);
  }
});

Deno.test("who starts a server without authentication of agents learns which flag is lacking, of whom it is known, and what came of it", async () => {
  const { ours } = await judged("proxy-server", ["--cluster-ca-cert="]);
  const message = ours.kind === "refused" ? ours.message : "";
  for (const word of ["--cluster-ca-cert", "--allow-unauthenticated-agents", "HyperShift", "CVE-2026-16242"]) {
    assert.ok(message.includes(word), `${word}: ${message}`);
  }
});
