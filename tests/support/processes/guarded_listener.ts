/**
 * A process with one gRPC listener on node:http2, at the Unix socket that the first argument names. It answers and ends
 * each call when its caller does. For tests of what could end the process.
 */
import { listenGrpc } from "../../../src/net/http2/grpc_listener.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

const [path] = Deno.args;
if (path === undefined) throw new Error("give a path");
await listenGrpc({
  address: { kind: "unix", path, deleteExisting: true },
  services: [{
    path: "/x",
    handle: (call) => {
      const stream = call.accept({});
      stream.start({
        onData: () => {},
        onPacket: () => {},
        onDrain: () => {},
        onEnd: () => stream.end(),
        onClose: () => {},
      });
    },
  }],
  router: (_, response) => response.writeHead(404).end(),
  clock: systemClock,
  onConnectionError: () => {},
});
await Deno.stdout.write(new TextEncoder().encode("listening\n"));
