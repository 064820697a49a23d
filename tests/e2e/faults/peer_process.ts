import { fileURLToPath } from "node:url";
import { until } from "../../support/assert/until.ts";
import { Program } from "../../support/processes/processes.ts";

const main = fileURLToPath(new URL("../../support/processes/peer_main.ts", import.meta.url));

/** A client or a destination that a test freezes and kills. It is killed at the end, if it still runs. */
export class PeerProcess implements AsyncDisposable {
  readonly program: Program;

  /** @param args see tests/support/processes/peer_main.ts */
  constructor(...args: readonly string[]) {
    this.program = new Program(`peer ${args[0]}`, [
      Deno.execPath(),
      "run",
      "-A",
      "--quiet",
      "--no-check",
      main,
      ...args,
    ]);
  }

  /** Waits until it has written a line, and gives what of it the pattern holds. */
  async says(pattern: RegExp): Promise<string> {
    return await until<string | undefined>(`it says ${pattern}`, () => {
      const said = pattern.exec(this.program.log)?.[0];
      if (said === undefined && this.program.status !== undefined) throw new Error(`it has ended: ${this.program.log}`);
      return said;
    }) ?? "";
  }

  async kill(): Promise<void> {
    this.program.signal("SIGKILL");
    await this.program.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.program.stop();
  }
}

/** A destination that is a process, and its address. */
export async function echoProcess(): Promise<{ readonly peer: PeerProcess; readonly address: string }> {
  const peer = new PeerProcess("echo");
  return { peer, address: await peer.says(/127\.0\.0\.1:\d+/) };
}
