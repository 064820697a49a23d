import { limitOf, type LittleMemory, memoryTest, movesMuch } from "./little_memory.ts";

const rows: readonly LittleMemory[] = [
  { role: "agent", kind: "grpc-uds", limitsMiB: [64, 256], count: 64 },
  { role: "agent", kind: "connect-uds", limitsMiB: [64, 256], count: 16, links: "grpc" },
  { role: "server", kind: "grpc-uds", limitsMiB: [64, 256], count: 32 },
  { role: "server", kind: "connect-uds", limitsMiB: [64, 256], count: 32 },
];

for (const little of rows) {
  const { role, kind, count, links } = little;
  const over = links === undefined ? "" : `, with a link over ${links}`;
  const limitMiB = limitOf(little);
  memoryTest(
    `${role} with ${limitMiB} MiB moves ${count} times 4 MB at once, both ways, and nothing is lost or killed (${kind}${over})`,
    (t) => movesMuch(t, little),
  );
}
