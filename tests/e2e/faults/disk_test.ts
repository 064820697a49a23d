import { helloFrame, linkProtocol } from "../../../src/wire/link_frame.ts";
import { until } from "../../support/assert/until.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { diskOf, fill, machine, onSmallDisk } from "./small_disk.ts";

/** Comes to the server as an agent and goes, which are lines of its log. */
async function comeAndGo({ launched }: FaultWorld): Promise<void> {
  const { server, certificates: { caCert, clientCert, clientKey } } = launched;
  const [ca = "", cert = "", key = ""] = await Promise.all(
    [caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)),
  );
  using link = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: server.agentPort,
    caCerts: [ca],
    cert,
    key,
    alpnProtocols: [linkProtocol],
  });
  await link.write(helloFrame({ agentid: "comes-and-goes", agentidentifiers: "" }));
  await link.read(new Uint8Array(1000));
}

faultTest("the disk of the log is full", async () => {
  await using world = await FaultWorld.start("grpc-uds", {
    serverCommand: await onSmallDisk("server"),
    serverFlags: ["--logtostderr=false", "--log-file=/mnt/server.log"],
  });
  const { launched } = world;
  const { program } = launched.server;
  const path = `${diskOf(program.pid)}/server.log`;
  // The log's own last page has no room then, either.
  await fill(path);
  await until("it is said elsewhere", async () => {
    await comeAndGo(world);
    return /log lines are lost: .*No space left/.test(program.log);
  });
  await world.goesOn();
  await Deno.truncate(path);
  await until("the log goes on, and says what is lost", async () => {
    await comeAndGo(world);
    return /dropped \d+ lines because the log took them too slowly or failed/.test(await Deno.readTextFile(path));
  });
  await world.end();
}, { machine });
