import { namesTest } from "./silent_names.ts";

namesTest(100);
