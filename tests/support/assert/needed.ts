import { leakTest } from "./leak_free.ts";

/** Whether what a test needs and the machine lacks fails it. */
const inCi = Deno.env.get("CI") === "true";

/**
 * Registers a test that needs something of the machine. Where that is missing it is skipped with the reason in its title, and
 * fails where `CI=true`.
 * @param why what is missing; undefined where nothing is
 */
export function neededTest(
  name: string,
  why: string | undefined,
  body: (t: Deno.TestContext) => void | Promise<void>,
): void {
  if (why === undefined) leakTest(name, body);
  else if (inCi) Deno.test(name, () => Promise.reject(new Error(why)));
  else Deno.test.ignore(`${name} (skipped: ${why})`, () => {});
}

/**
 * Registers a test that needs something that not every machine can do, as to make a control group. Where it cannot the test
 * is skipped with the reason in its title, in CI too.
 * @param why what cannot be done; undefined where nothing
 */
export function possibleTest(
  name: string,
  why: string | undefined,
  body: (t: Deno.TestContext) => void | Promise<void>,
): void {
  if (why === undefined) leakTest(name, body);
  else Deno.test.ignore(`${name} (skipped: ${why})`, () => {});
}

/**
 * Says which programs of Debian are missing.
 * @param tools commands that succeed where the tool is there, by the packages that have them
 * @returns undefined where all are there
 */
export async function whyMissing(tools: Readonly<Record<string, readonly string[]>>): Promise<string | undefined> {
  const missing: string[] = [];
  for (const [name, [program = "", ...args]] of Object.entries(tools)) {
    try {
      const { success } = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" })
        .output();
      if (!success) missing.push(name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      missing.push(name);
    }
  }
  return missing.length === 0 ? undefined : `${missing.join(", ")} of Debian's packages missing`;
}
