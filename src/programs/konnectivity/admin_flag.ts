import { choice, type FlagEntry, type FlagValues, string } from "../../flags/flag.ts";
import { FlagError } from "../../flags/flag_error.ts";

/** Where the admin ports of a server and an agent are by default, in the order in which they are asked. */
const defaults = ["http://127.0.0.1:8095", "http://127.0.0.1:8094"] as const;

/** Which program is asked. */
export const adminFlag: FlagEntry = {
  name: "admin",
  type: string,
  default: "",
  defaultText: `${defaults[0]}, a server's, or where nothing listens ${defaults[1]}, an agent's`,
  help: "admin port of the program, as URL or HOST:PORT",
};

/** In which form it is answered. */
export const outputFlag: FlagEntry = {
  name: "output",
  shorthand: "o",
  type: choice("text", "json"),
  default: "text",
  help: "for people, or for programs",
};

/** The admin ports that `--admin` names, or the usual ones. @throws {FlagError} */
export function adminUrls(values: FlagValues): readonly URL[] {
  return values.given("admin") ? [adminUrl(values.string("admin"))] : usualAdminUrls();
}

/** The admin ports of a server and an agent that are started without a flag about them. */
export function usualAdminUrls(): readonly URL[] {
  return defaults.map((each) => new URL(each));
}

/** An admin port as `--admin` has it. @throws {FlagError} */
export function adminUrl(text: string): URL {
  const url = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const fail = (what: string) => new FlagError("bad-operand", `--admin ${JSON.stringify(text)} ${what}`);
  if (!URL.canParse(url)) throw fail("is no URL: write http://HOST:PORT, such as http://127.0.0.1:8095");
  const parsed = new URL(url);
  if (parsed.protocol !== "http:") throw fail("is no http:// URL: admin ports speak HTTP without TLS");
  if (parsed.username !== "" || parsed.password !== "") throw fail("holds a user: admin ports ask for none");
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.hash !== "") {
    throw fail("has more than a host and a port: what is asked for there is known");
  }
  return parsed;
}
