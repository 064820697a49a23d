import { faultTest } from "./fault_world.ts";
import { lacks, play } from "./lossy_machine.ts";

faultTest("three of a hundred packets of a link and of a destination are lost", () => play("loss"), lacks);
faultTest("one of an agent's servers is at an address where nobody answers", () => play("server"), lacks);
faultTest("a destination is at an address where nobody answers", () => play("destination"), lacks);
