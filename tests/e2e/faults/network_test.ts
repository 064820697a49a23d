import { faultTest } from "./fault_world.ts";
import { lacks, play } from "./lossy_machine.ts";

faultTest("no packet passes between a server and its agent", () => play("cut"), lacks);
