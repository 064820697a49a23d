import { builtProject } from "./built_project.ts";
import { Program } from "./processes.ts";

/** What the program `konnectivity` answered. */
export interface KonnectivityAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The launcher of `konnectivity`, which grants what its command line needs. */
export async function konnectivityLauncher(): Promise<string> {
  return `${await builtProject()}/bin/konnectivity`;
}

/** Runs `konnectivity` behind its launcher, to its end. */
export async function konnectivity(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<KonnectivityAnswer> {
  const command = new Deno.Command(await konnectivityLauncher(), {
    args: [...args],
    env: { NO_COLOR: "1", LC_ALL: "C.UTF-8", ...env },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Starts `konnectivity` behind its launcher. */
export async function startKonnectivity(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  return new Program("konnectivity", [await konnectivityLauncher(), ...args], { LC_ALL: "C.UTF-8", ...env });
}
