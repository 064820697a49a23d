import type { AddressInfo, Server } from "node:net";

/** Has a server, of whatever protocol, listen on a port of 127.0.0.1 until disposed. */
export async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  // A TCP server that listens has this form of address.
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
