import { namesTest } from "./silent_names.ts";

const claim = "300 names that nobody answers for hold up no dial by name, no link and no log";

namesTest(claim, 300);
namesTest(`${claim}, with a narrow sandbox`, 300, "--destinations=127.0.0.0/8", "--proxy-server-host=localhost");
