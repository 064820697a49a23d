import type { FuzzTarget } from "../target.ts";
import { packets } from "./packets.ts";

/** Everything that inputs are thrown at. */
export const allTargets: readonly FuzzTarget[] = [packets];
