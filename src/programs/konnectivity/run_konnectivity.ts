import type { Printer } from "../terminal.ts";
import type { KonnectivityCommand } from "./konnectivity_flags.ts";

/** Runs a subcommand of `konnectivity`; each loads its own code only. @returns its exit code */
export async function runKonnectivity(command: KonnectivityCommand, printer: Printer): Promise<number> {
  switch (command.kind) {
    case "status": {
      const { runStatus } = await import("./status/run_status.ts");
      return await runStatus(command.options, printer);
    }
    case "tap": {
      const { runTap } = await import("./tap/run_tap.ts");
      return await runTap(command.options, printer);
    }
    case "check": {
      const { runCheck } = await import("./check/run_check.ts");
      return await runCheck(command.options, printer);
    }
    case "diag": {
      const { runDiag } = await import("./diag/run_diag.ts");
      return await runDiag(command.options, printer);
    }
    case "completion": {
      const { completion } = await import("./completion/completions.ts");
      printer.out(completion(command.shell).trimEnd());
      return 0;
    }
  }
}
