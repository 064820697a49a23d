/** Names that nobody answers for, with the programs as users run them, on a machine of their own (Linux namespaces). */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { builtProject } from "../support/processes/built_project.ts";
import type { NamesSeen } from "../support/processes/names_lab.ts";

/** Brings loopback up and puts the test's files in the system's places; the lab takes its place. */
const inside = `
set -e
python3 -c 'import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 1))'
for file in hosts resolv.conf nsswitch.conf; do
  [ -e /etc/$file ] && mount --bind "$1/$file" /etc/$file
done
shift
exec "$@"
`;

const files = {
  hosts: "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 db\n",
  "resolv.conf": "nameserver 127.0.0.53\n",
  "nsswitch.conf": "hosts: files dns\n",
};

/** Runs the lab; it is another machine as far as names, ports and files of the system go. */
async function lab(names: number, ...agentFlags: string[]): Promise<NamesSeen> {
  // There is no network inside.
  await builtProject();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-names-" });
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    const program = fileURLToPath(new URL("../support/processes/names_lab.ts", import.meta.url));
    const run = ["run", "-A", "--quiet", "--no-check", program, String(names), ...agentFlags];
    const { code, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--map-root-user", "--mount", "--net", "sh", "-c", inside, "inside", folder, Deno.execPath(), ...run],
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (code !== 0) throw new Error(`the lab ended with ${code}\n${text(stdout)}${text(stderr)}`);
    return JSON.parse(text(stdout));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Why there can be no other machine here; undefined where there can. */
async function whyNoNamespaces(): Promise<string | undefined> {
  const args = ["--map-root-user", "--mount", "--net", "mount", "-t", "tmpfs", "none", "/mnt"];
  const { success } = await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output();
  return success ? undefined : "namespaces cannot be made here";
}

const why = await whyNoNamespaces();

/** Registers a test that needs another machine, where there can be one. */
export function namesTest(title: string, names: number, ...flags: readonly string[]): void {
  if (why === undefined) Deno.test(title, () => holdUpNothing(names, ...flags));
  else Deno.test.ignore(`${title} (skipped: ${why})`, () => {});
}

async function holdUpNothing(names: number, ...flags: readonly string[]): Promise<void> {
  const seen = await lab(names, ...flags);
  const told = JSON.stringify(seen);
  for (const when of [seen.before, seen.during, seen.after]) {
    for (const [name, outcome] of Object.entries(when)) assert.equal(typeof outcome, "number", `${name}: ${told}`);
  }
  assert.ok(seen.logged, told);
  assert.ok(seen.asked >= names, told);
  assert.match(seen.unknown, /lookup nobody\.example on 127\.0\.0\.53:53: no such host/);
  assert.match(seen.silent, /lookup silent-alone\.example.*: i\/o timeout/);
  if (flags.length > 0) return;
  // A name server that appears later is no part of the permissions of the narrow one.
  assert.deepEqual(Object.values(seen.moved).map((outcome) => typeof outcome), ["number", "number"], told);
  assert.equal(seen.askedLate, 0, told);
}
