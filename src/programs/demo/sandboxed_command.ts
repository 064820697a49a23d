import { fileURLToPath } from "node:url";
import { engineFlags } from "../../runtime/engine_flags.ts";
import { permissionsFor, type Role } from "../permissions/permissions_command.ts";

/** The words of a command that runs a role with its flags. */
export type RoleCommand = (role: Role, flags: readonly string[]) => Promise<readonly string[]>;

/**
 * Commands that run roles of this project under exactly the permissions of their flags.
 * @param entry URL of the project's entry point, `main.ts` or the bundle
 */
export function sandboxedCommand(entry: string): RoleCommand {
  const path = fileURLToPath(entry);
  // The bundle stands alone: it needs no import map, and must not find a stranger's configuration above it.
  const config = path.endsWith(".js") ? ["--no-config"] : [];
  return async (role, flags) => {
    const host = {
      cwd: Deno.cwd(),
      env: (name: string) => Deno.env.get(name),
      readText: (file: string) => Deno.readTextFileSync(file),
    };
    const permissions = await permissionsFor(role, flags, host);
    if (permissions.kind === "error") throw new Error(`${role} refuses its flags: ${permissions.text}`);
    return [Deno.execPath(), "run", "--quiet", engineFlags, ...permissions.flags, ...config, path, role, ...flags];
  };
}
