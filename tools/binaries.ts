/** The programs that are built: four under the names under which the original installs them, and one that looks after them. */
export const binaries = [
  { program: "server", name: "proxy-server" },
  { program: "agent", name: "proxy-agent" },
  { program: "test-client", name: "proxy-test-client" },
  { program: "test-server", name: "http-test-server" },
  { program: "konnectivity", name: "konnectivity" },
] as const;

/** One of {@link binaries}. */
export type Binary = (typeof binaries)[number];

/** The project's folder, without a slash at its end. */
export const root: string = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Runs deno with its output on this process's. @returns its exit code */
export async function deno(args: readonly string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd: root }).spawn().status;
  return code;
}
