import { fileURLToPath } from "node:url";
import { buildOnce } from "../support/processes/build_once.ts";

// Builds the Go programs of this folder. Where nothing is cached this takes most of a minute, for the sake of
// kube-apiserver's dialler: whoever runs the tests begins with it, and runs the tests that need it last.

const sources = fileURLToPath(new URL("./go", import.meta.url));

/** What the compiler saves by not optimising is far more than these programs take for it when they run. */
const flags = ["-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w"];

/** How `go version` introduces itself; undefined where there is no go. */
export const goVersion: string | undefined = await (async () => {
  try {
    const { code, stdout } = await new Deno.Command("go", { args: ["version"], stderr: "null" }).output();
    return code === 0 ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
})();

/** Builds all Go programs, unless neither their sources nor the compiler changed since. @returns the folder they are in */
export function buildPeers(): Promise<string> {
  return buildOnce({
    name: "conformance",
    sources: ["tests/conformance/go"],
    key: `${goVersion} ${flags.join(" ")}`,
    build: async (folder) => {
      const { code, stderr } = await new Deno.Command("go", {
        args: ["build", ...flags, "-o", `${folder}/`, "./..."],
        cwd: sources,
        // Its collector would take a fifth of the compiler's time.
        env: { CGO_ENABLED: "0", GOGC: "400" },
        stdin: "null",
      }).output();
      if (code !== 0) throw new Error(`go build failed:\n${new TextDecoder().decode(stderr)}`);
    },
  });
}

/** Judges HTTP/2 servers by RFC 9113's predecessors, case by case. */
const h2specModule = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";

/** Installs h2spec, once for each compiler. @returns the path of the program */
export async function buildH2spec(): Promise<string> {
  const folder = await buildOnce({
    name: "h2spec",
    sources: [],
    key: `${goVersion} ${h2specModule}`,
    build: async (folder) => {
      const { code, stderr } = await new Deno.Command("go", {
        args: ["install", h2specModule],
        env: { CGO_ENABLED: "0", GOBIN: folder, GOFLAGS: "" },
        stdin: "null",
      }).output();
      if (code !== 0) throw new Error(`go install ${h2specModule} failed:\n${new TextDecoder().decode(stderr)}`);
    },
  });
  return `${folder}/h2spec`;
}
