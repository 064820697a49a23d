/**
 * `deno task clean`: removes what tasks have made, but not the certificates.
 * @module
 */
import { root } from "./binaries.ts";

const made = ["bin", "dist", "share", "coverage", ".cache"] as const;

for (const name of made) {
  await Deno.remove(`${root}/${name}`, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
