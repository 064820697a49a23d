import { build } from "../../../tools/build.ts";
import { buildOnce } from "./build_once.ts";

let building: Promise<string> | undefined;

/**
 * This project as its users have it after `deno task build`, built when its sources changed since it last was.
 * @returns the folder that holds `bin/` and `dist/`
 */
export function builtProject(): Promise<string> {
  return building ??= buildOnce({
    name: "built",
    sources: ["deno.json", "deno.lock", "main.ts", "gen", "src", "tools"],
    key: `${Deno.execPath()} ${Deno.version.deno}`,
    build: async (folder) => {
      if (await build(folder) !== 0) throw new Error("the project cannot be built");
    },
  });
}
