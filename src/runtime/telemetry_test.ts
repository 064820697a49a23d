import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const module = new URL("./telemetry.ts", import.meta.url).href;

Deno.test("a program knows whether the runtime exports its traces, without any permission", async () => {
  const code = `const { exportsTraces } = await import(${JSON.stringify(module)}); console.log(exportsTraces())`;
  const asked = async (env: Record<string, string>) => {
    const folder = fileURLToPath(new URL(".", import.meta.url));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--ignore-env", `data:text/javascript,${encodeURIComponent(code)}`],
      cwd: folder,
      env: { NO_COLOR: "1", OTEL_DENO_CONSOLE: "ignore", ...env },
      stdout: "piped",
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assert.equal(await asked({}), "false");
  // Nobody listens there; what cannot be exported is dropped.
  const exporting = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  assert.equal(await asked(exporting), "true");
});
