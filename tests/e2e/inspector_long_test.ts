import { leakTest } from "../support/assert/leak_free.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { outlivesSignal } from "./shut_inspector.ts";

leakTest(
  "a server with workers and its agent outlive SIGUSR1, and the runtime's inspector stays shut",
  () => outlivesSignal(withWorkers()),
);
