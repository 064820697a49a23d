import config from "../../deno.json" with { type: "json" };

/** This project's version; its minor number follows that of Kubernetes. */
export const version: string = config.version;

/** One line for `--version`. */
export function versionText(program: string): string {
  return `${program} ${version} (konnectivity-deno, deno ${Deno.version.deno}, ${Deno.build.os}/${Deno.build.arch})`;
}
