import assert from "node:assert/strict";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { parseCertsFlags } from "./certs_flags.ts";
import { runCerts } from "./run_certs.ts";

async function run(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const parsed = parseCertsFlags(args);
  assert.ok(parsed.kind === "options");
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCerts(parsed.options, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

leakTest("certs lists what it wrote, and says so when there is nothing to do", async () => {
  const dir = await Deno.makeTempDir({ prefix: "konnectivity-certs-" });
  try {
    const first = await run(`--dir=${dir}/with space`);
    assert.equal(first.code, 0);
    assert.equal(first.out.length, 12);
    assert.ok(first.out.includes(`${dir}/with space/agent/private/proxy-agent.key`));

    const second = await run(`--dir=${dir}/with space`);
    assert.equal(second.code, 0);
    assert.deepEqual(second.out, [
      `nothing to do: 12 files in ${dir}/with space are in order (--force renews them)`,
    ]);

    const other = await run(`--dir=${dir}/with space`, "--server-ip=10.0.0.9");
    assert.equal(other.code, 1);
    assert.match(other.err.join(), /^Error: .*proxy-frontend\.crt is not valid for 10\.0\.0\.9; renew .* --force$/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

leakTest("certs makes its files in certs for 127.0.0.1 unless told otherwise", () => {
  const parsed = parseCertsFlags([]);
  assert.ok(parsed.kind === "options");
  assert.deepEqual(parsed.options, { dir: "certs", serverIp: "127.0.0.1", force: false });
});
