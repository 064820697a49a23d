import { type Finding, Findings } from "./finding.ts";
import { type ParsedPart, validate } from "./part.ts";

/** Command lines as the programs themselves judge them when they start. */
export async function checkFlags(parts: readonly ParsedPart[]): Promise<readonly Finding[]> {
  const findings = new Findings("flags");
  for (const parsed of parts) {
    if (parsed.kind === "refused") {
      findings.fail(parsed.label, `the program refuses to start: ${parsed.message}`);
      continue;
    }
    const { part, notices } = parsed;
    for (const notice of notices) findings.warn(part.label, notice);
    const validation = await validate(part);
    if (validation.kind === "refused") {
      findings.fail(part.label, `the program refuses to start: ${validation.message}`);
      continue;
    }
    for (const warning of validation.warnings) findings.warn(part.label, warning);
    if (notices.length + validation.warnings.length === 0) {
      findings.ok(part.label, `a proxy-${part.role} starts with this command line`);
    }
  }
  return findings.list;
}
