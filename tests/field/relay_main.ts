/**
 * Runs in a network of its own, and leads from one address to another, as each line of standard input says: a JSON object
 * with `listen` and `connect`, each a path of a Unix socket or `host:port`. Paths are everybody's, so that a test outside
 * reaches what is inside. A line with the number of the request answers once it listens; it ends with its input.
 * @module
 */
import { connect, createServer, type IpcNetConnectOpts, type Socket, type TcpNetConnectOpts } from "node:net";

function addressOf(text: string): IpcNetConnectOpts | TcpNetConnectOpts {
  if (text.startsWith("/")) return { path: text };
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function relay(client: Socket, to: string): void {
  const target = connect({ ...addressOf(to), allowHalfOpen: true });
  for (const [one, other] of [[client, target], [target, client]] as const) {
    // What was read before is still on its way where one closes in order.
    one.on("error", () => other.destroy()).on("close", () => other.end());
    one.pipe(other);
  }
}

const answer = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

async function main(): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of Deno.stdin.readable) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      const { id, listen, to } = JSON.parse(line) as { id: number; listen: string; to: string };
      createServer({ allowHalfOpen: true }, (client) => relay(client, to))
        .on("error", (error) => answer(`${id} ${error.message}`))
        .listen(addressOf(listen), () => answer(`${id}`));
    }
  }
  Deno.exit(0);
}

if (import.meta.main) await main();
