import { namesTest } from "./silent_names.ts";

namesTest(300);
namesTest(300, "--destinations=127.0.0.0/8", "--proxy-server-host=localhost");
