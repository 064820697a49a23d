import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { runtimeFault } from "../../tests/support/assert/runtime_fault.ts";
import { NetworkNamespace } from "../../tests/support/processes/network_namespace.ts";

const script = fileURLToPath(import.meta.resolve("../../tests/support/processes/zoned_dial.ts"));

/** Two devices that are each other's line, whose link-local addresses need no second to be sure of themselves. */
const devices = "for set in all default; do echo 0 > /proc/sys/net/ipv6/conf/$set/accept_dad; done; " +
  "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; " +
  "while ip -6 address show dev v1 | grep -q tentative; do sleep 0.1; done";

async function dialled(...how: string[]): Promise<string> {
  await using network = await NetworkNamespace.open(devices);
  const { text } = await network.run(Deno.execPath(), "run", "-A", "--quiet", "--no-check", script, "v1", ...how);
  return text.trim();
}

leakTest("an agent reaches a link-local address by its zone, both ways and to the end", async () => {
  assert.equal(await dialled(), `true ${1 << 20}`);
});

runtimeFault(
  "this runtime's node:net loses the zone of an address",
  { file: "src/runtime/zoned_socket.ts" },
  async () => {
    return /EINVAL/.test(await dialled("bare"));
  },
);
