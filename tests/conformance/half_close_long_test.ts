import { leakTest } from "../support/assert/leak_free.ts";
import { answersEnd } from "./late_answer.ts";

for (const [kind, link] of [["grpc-uds", "auto"], ["connect-uds", "grpc"]] as const) {
  leakTest(
    `[server W4] ${kind}, links ${link}: an answer to the client's end arrives whole, and both sides end`,
    () => answersEnd(kind, link),
  );
}
