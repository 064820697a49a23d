// Run as a program of its own under the permissions of a role: tries what its argument lists (JSON, see Attempt) and
// prints for each whether the permission sandbox allowed it. Importing a package shows that packages load under them.
import { Hono } from "hono";
import process from "node:process";

/** Something to try. */
export type Attempt =
  | readonly ["listen" | "dial", host: string, port: number]
  | readonly ["listen-unix" | "dial-unix", path: string]
  | readonly ["read" | "write" | "list", path: string]
  | readonly ["run" | "native" | "hostname" | "import" | "signal-self"]
  | readonly ["env", name: string];

async function attempt([what, where = "", port = 0]: Attempt): Promise<void> {
  switch (what) {
    case "listen":
      return Deno.listen({ hostname: where, port }).close();
    case "dial":
      return (await Deno.connect({ hostname: where, port })).close();
    case "listen-unix":
      return Deno.listen({ transport: "unix", path: where }).close();
    case "dial-unix":
      return (await Deno.connect({ transport: "unix", path: where })).close();
    case "read":
      return void await Deno.readTextFile(where);
    case "write":
      return await Deno.writeTextFile(where, "written");
    case "list":
      return void await Array.fromAsync(Deno.readDir(where));
    case "run":
      return void await new Deno.Command(Deno.execPath(), { args: ["--version"] }).output();
    case "signal-self":
      // Without a listener it would end the process.
      Deno.addSignalListener("SIGUSR2", () => {});
      return Deno.kill(Deno.pid, "SIGUSR2");
    case "native":
      return void process.dlopen({ exports: {} }, "/nowhere.node");
    case "hostname":
      return void Deno.hostname();
    case "import":
      return void await import(String(new URL("https://127.0.0.1:1/x.ts")));
    case "env":
      if (Deno.env.get(where) === undefined) throw new Deno.errors.NotCapable("hidden");
  }
}

/** Anything else than a refusal, such as a port in use or a host that does not answer, means that it was allowed. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.NotCapable || /^Requires (import|read|run|ffi) access to /.test(error.message);
}

if (import.meta.main) {
  if (typeof Hono !== "function") throw new Error("packages do not load");
  const attempts: Attempt[] = JSON.parse(Deno.args[0] ?? "[]");
  const outcomes: string[] = [];
  for (const each of attempts) {
    try {
      await attempt(each);
      outcomes.push("allowed");
    } catch (error) {
      outcomes.push(isRefusal(error) ? "refused" : "allowed");
    }
  }
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(outcomes)));
}
