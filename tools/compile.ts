/**
 * `deno task compile`: one executable for each program, with the permissions of its role inside. The ports and files of
 * a command line are not known when it is compiled, so they are wider than what the launchers of `deno task build` grant.
 * @module
 */
import { engineFlags } from "../src/cli/engine_flags.ts";
import { binaries, type Binary, root } from "./binaries.ts";

const kubernetes = "KUBERNETES_SERVICE_HOST,KUBERNETES_SERVICE_PORT";

/** What a role may need for some command line; what no role needs is refused for all. */
const permissions: Readonly<Record<Binary["program"], readonly string[]>> = {
  "server": ["--allow-net", "--allow-read", "--allow-write", `--allow-env=PROXY_SERVER_ID,${kubernetes}`],
  "agent": ["--allow-net", "--allow-read", "--allow-write", `--allow-env=PROXY_AGENT_ID,${kubernetes}`],
  "test-client": [
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env=HTTP2_READ_IDLE_TIMEOUT_SECONDS,HTTP2_PING_TIMEOUT_SECONDS",
  ],
  "test-server": ["--allow-net", "--allow-write"],
};
const refused = ["--no-prompt", "--ignore-env", "--deny-run", "--deny-ffi", "--deny-sys", "--deny-import"];

/** Exit code when the runtime stub, which compiled programs consist of, is not there. */
export const noStubCode = 3;

/** Where a program is compiled to: deno does not overwrite what it has not compiled, such as a launcher. */
function freshPath({ name }: Binary): string {
  return `${root}/bin/${name}.new`;
}

/** Arguments of deno that compile a program. */
function compileArgs(binary: Binary): string[] {
  const { program } = binary;
  return [
    "compile",
    engineFlags,
    "--quiet",
    ...permissions[program],
    ...refused,
    `--output=${freshPath(binary)}`,
    "main.ts",
    program,
  ];
}

const noStub = `Error: deno compile needs the runtime stub "denort" of its own version, which it downloads from
dl.deno.land on first use and could not get. Go online once, or name a denort file in DENORT_BIN. Without either,
"deno task build" makes launchers of the same names that need only deno itself.
`;

/** @returns the exit code: 0, {@link noStubCode}, or what deno ended with */
async function compile(binary: Binary): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), { args: compileArgs(binary), cwd: root, stderr: "piped" });
  const { code, stderr } = await command.output();
  if (code === 0) {
    await Deno.rename(freshPath(binary), `${root}/bin/${binary.name}`);
    return 0;
  }
  const text = new TextDecoder().decode(stderr);
  await Deno.stderr.write(stderr);
  if (!/denort|Setting up base binary/.test(text)) return code;
  await Deno.stderr.write(new TextEncoder().encode(noStub));
  return noStubCode;
}

if (import.meta.main) {
  for (const binary of binaries) {
    const code = await compile(binary);
    if (code !== 0) Deno.exit(code);
    await Deno.stdout.write(new TextEncoder().encode(`bin/${binary.name}\n`));
  }
}
