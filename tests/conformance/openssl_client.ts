import { until } from "../support/assert/until.ts";
import { whyMissing } from "../support/assert/needed.ts";

/** Why s_client cannot be run here; undefined where it can. */
export const whyNoOpenssl: string | undefined = await whyMissing({ openssl: ["openssl", "version"] });

/** How long anything may take to be seen, on a busy machine. */
const patienceMs = 30_000;

/** What s_client is given on its standard input, once something stands in its output. */
export interface Step {
  readonly after: RegExp;
  readonly write: string;
}

/**
 * Runs `openssl s_client` until its output shows what is looked for, or it ends.
 * @returns what it wrote, without the server's certificate
 */
export async function sClient(
  port: number,
  args: readonly string[],
  { steps = [], shows }: { readonly steps?: readonly Step[]; readonly shows: readonly RegExp[] },
): Promise<string> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  let ended = false;
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const reading = Promise.all([collect(child.stdout), collect(child.stderr)]).then(() => ended = true);
  const writer = child.stdin.getWriter();
  try {
    for (const { after, write } of steps) {
      await until(`s_client shows ${after}`, () => ended || after.test(text), patienceMs);
      // It may have ended meanwhile.
      if (!ended) await writer.write(new TextEncoder().encode(write)).catch(() => {});
    }
    await until(
      `s_client shows ${shows.join(" and ")}, or ends`,
      () => ended || shows.every((each) => each.test(text)),
    );
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${text}`, { cause: error });
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await reading;
    await writer.abort().catch(() => {});
  }
  return text.replace(/-----BEGIN[^]*?-----END.*/g, "");
}
