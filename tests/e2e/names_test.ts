import { namesTest } from "./silent_names.ts";

namesTest("100 names that nobody answers for hold up no dial by name, no link and no log", 100);
