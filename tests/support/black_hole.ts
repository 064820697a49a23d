/**
 * An address on this machine that a dial hangs at: its listener accepts nobody and its queue is full, so that the system
 * answers no further connection.
 */
export async function blackHole(): Promise<{ readonly address: string } & Disposable> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  // The queue holds one or two connections that nobody accepts.
  const queued = [await Deno.connect({ port }), await Deno.connect({ port })];
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.dispose]() {
      for (const connection of queued) connection.close();
      listener.close();
    },
  };
}
