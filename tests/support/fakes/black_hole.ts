/** An address that does not answer, until it is opened. */
export interface BlackHole extends Disposable {
  /** host:port */
  readonly address: string;
  readonly port: number;
  /** Connections that were accepted since it was opened, those that filled its queue left out. */
  readonly accepted: number;
  /** Answers from now on: the system repeats what went unanswered after a second. What connects stays open. */
  open(): void;
}

/**
 * An address on this machine that a dial hangs at: its listener accepts nobody and its queue is full, so that the system
 * answers no further connection.
 */
export async function blackHole(hostname = "127.0.0.1", port = 0): Promise<BlackHole> {
  const listener = Deno.listen({ hostname, port, tcpBacklog: 1 });
  const own = listener.addr.port;
  // The queue holds one or two connections that nobody accepts.
  const queued = [await Deno.connect({ hostname, port: own }), await Deno.connect({ hostname, port: own })];
  const accepted: Deno.Conn[] = [];
  return {
    address: `${hostname}:${own}`,
    port: own,
    get accepted() {
      return Math.max(0, accepted.length - queued.length);
    },
    open() {
      void (async () => {
        for await (const connection of listener) accepted.push(connection);
      })().catch(() => {});
    },
    [Symbol.dispose]() {
      for (const connection of [...queued, ...accepted]) {
        try {
          connection.close();
        } catch {
          // Closed by its peer.
        }
      }
      listener.close();
    },
  };
}
