import { memberOf, textMember } from "../../../kube/client/json_value.ts";
import { readBoundedFile } from "../../../runtime/files/bounded_file.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { usesTokens } from "../../server/server_validation.ts";
import { type Finding, Findings } from "./finding.ts";
import type { AgentPart, Part } from "./part.ts";

/** A token that ends within so many seconds should have been replaced: a kubelet does so at four fifths of its time. */
const soonSeconds = 300;

/** What servers ask of tokens. */
interface Asked {
  readonly audience: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly from: string;
}

/**
 * Tokens of agents: that they are tokens, of whom, for whom and until when.
 * @param audience what servers ask for, by the command line of the check; empty: not told
 */
export async function checkTokens(parts: readonly Part[], audience: string): Promise<readonly Finding[]> {
  const findings = new Findings("token");
  const asked: Asked[] = [
    ...(audience === "" ? [] : [{ audience, namespace: "", serviceAccount: "", from: "--audience" }]),
    ...parts.flatMap((part) =>
      part.role === "server" && usesTokens(part.options)
        ? [{
          audience: part.options.authenticationAudience,
          namespace: part.options.agentNamespace,
          serviceAccount: part.options.agentServiceAccount,
          from: part.label,
        }]
        : []
    ),
  ];
  for (const part of parts) if (part.role === "agent") await checkToken(part, asked, findings);
  return findings.list;
}

async function checkToken(part: AgentPart, asked: readonly Asked[], findings: Findings): Promise<void> {
  const path = part.options.serviceAccountTokenPath;
  const subject = `${part.label}: --service-account-token-path`;
  if (path === "") {
    const [first] = asked;
    if (first !== undefined) {
      findings.fail(
        subject,
        `it is not set, and the server asks for a token for ${first.audience} (${first.from}): set it`,
      );
    }
    return;
  }
  if (part.pod !== undefined) checkProjected(part, path, subject, asked, findings);
  const local = part.local(path);
  if (local === undefined) return;
  let text: string;
  try {
    text = (await readBoundedFile(local, systemClock)).trim();
  } catch {
    // The check of certificates and flags says what is wrong with a file.
    return;
  }
  const claims = claimsOf(text);
  if (claims === undefined) {
    return findings.fail(
      subject,
      `${path} holds no token of a service account (a JWT): name the file that the kubelet writes`,
    );
  }
  const said = findings.list.length;
  const now = systemClock.timeOfDay() / 1000;
  const ends = memberOf(claims, "exp");
  if (typeof ends === "number" && ends <= now) {
    findings.fail(subject, `${path} ended on ${iso(ends)}: whoever writes it has stopped to replace it`);
  } else if (typeof ends === "number" && ends < now + soonSeconds) {
    findings.warn(subject, `${path} ends on ${iso(ends)}, and should have been replaced by now`);
  }
  const audiences = [memberOf(claims, "aud")].flat().filter((each) => typeof each === "string");
  for (const each of asked) {
    if (audiences.length > 0 && !audiences.includes(each.audience)) {
      findings.fail(
        subject,
        `${path} is for ${
          audiences.join(", ")
        }, and the server asks for ${each.audience} (${each.from}): project a token for ` +
          "that audience",
      );
    }
    if (each.serviceAccount === "") continue;
    const wanted = `system:serviceaccount:${each.namespace}:${each.serviceAccount}`;
    const subjectName = textMember(claims, "sub");
    if (subjectName !== "" && subjectName !== wanted) {
      findings.fail(subject, `${path} is of ${subjectName}, and the server takes ${wanted} alone (${each.from})`);
    }
  }
  if (findings.list.length === said) {
    const until = typeof ends === "number" ? `, until ${iso(ends)}` : "";
    findings.ok(
      subject,
      `${path} is of ${textMember(claims, "sub")} for ${audiences.join(", ") || "everybody"}${until}`,
    );
  }
}

/** What the manifest says of the token, before there is one. */
function checkProjected(
  { pod }: AgentPart,
  path: string,
  subject: string,
  asked: readonly Asked[],
  findings: Findings,
): void {
  const token = pod?.tokens.find((each) => each.path === path);
  if (token === undefined) return;
  const audience = token.audience === "" ? "the Kubernetes API alone" : token.audience;
  for (const each of asked) {
    if (token.audience === each.audience) findings.ok(subject, `its audience is that of ${each.from}`);
    else {
      findings.fail(
        subject,
        `the pod projects a token for ${audience}, and the server asks for ${each.audience} (${each.from}): set its audience ` +
          "to that",
      );
    }
  }
  if (asked.length === 0 && token.audience === "") {
    findings.warn(
      subject,
      "the pod projects a token for the Kubernetes API: whoever gets it, the server too, may act as the agent there",
    );
  }
}

/** The claims of a JWT, unverified; undefined where it is none. */
function claimsOf(text: string): unknown {
  const [, body] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(text) ?? [];
  if (body === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(body, { alphabet: "base64url" })));
  } catch {
    return undefined;
  }
}

/** The last second of a year with four digits; a token may say any number. */
const lastSecond = 253_402_300_799;

function iso(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), lastSecond) * 1000).toISOString().slice(0, 16);
}
