import { descriptorLimitVariable } from "../../descriptor_limit.ts";
import { neededBytes } from "../../memory_budget.ts";
import { memoryLimitVariable } from "../../memory_limit.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Part } from "./part.ts";

const mebibyte = 1024 * 1024;

/** Below this the images' memory of the runtime's first start is needed. */
const firstStartBytes = 64 * mebibyte;

/** Each tunnel takes one at the server and one at the agent: with fewer, hundreds of them are refused. */
const fewDescriptors = 1_024;
/** With fewer a program hardly works. */
const leastDescriptors = 160;

/** The folder of the images where that memory is. */
const cacheFolder = "/cache";

/** Memory limits against what the programs need. */
export function checkMemory(parts: readonly Part[]): readonly Finding[] {
  const findings = new Findings("memory");
  for (const { label, pod, env, ...part } of parts) {
    const given = Number(env(memoryLimitVariable));
    const limit = pod === undefined
      ? (given > 0 ? given : undefined)
      : pod.memoryLimit ?? (given > 0 ? given : undefined);
    const threads = part.role === "server" ? part.options.workers : 1;
    const needed = neededBytes(threads);
    if (limit === undefined) {
      findings.ok(label, "there is no memory limit");
      continue;
    }
    const shown = `the memory limit is ${Math.floor(limit / mebibyte)} MiB`;
    const need = `${Math.ceil(needed / mebibyte)} MiB are needed under load`;
    if (limit < needed) {
      findings.fail(
        label,
        `${shown}, and ${need}${threads > 1 ? ` by ${threads} workers` : ""}: raise it to 64Mi or more`,
      );
    } else if (limit < firstStartBytes && pod?.emptyFolders.includes(cacheFolder) === true) {
      findings.fail(
        label,
        `${shown}, and an empty volume hides ${cacheFolder} of the image: a first start then takes 55 MiB and more; mount none there, ` +
          "or raise the limit to 64Mi",
      );
    } else findings.ok(label, `${shown}, and ${need}`);
  }
  return findings.list;
}

/** Limits of open files, of programs that run with those of this process. */
export function checkDescriptors(parts: readonly Part[]): readonly Finding[] {
  const findings = new Findings("descriptors");
  for (const { label, pod, env } of parts) {
    if (pod !== undefined) {
      findings.skip(label, "the container engine gives a pod its limit of open files");
      continue;
    }
    const text = env(descriptorLimitVariable);
    const limit = text === "unlimited" ? Infinity : Number(text);
    if (!(limit > 0)) {
      findings.skip(
        label,
        `nothing says how many files may be open: start it by the launcher, or set ${descriptorLimitVariable}`,
      );
      continue;
    }
    const shown = `${limit} files may be open`;
    if (limit < leastDescriptors) {
      findings.fail(label, `${shown}: hardly one tunnel; raise the hard limit (ulimit -Hn, LimitNOFILE=)`);
    } else if (limit < fewDescriptors) {
      findings.warn(label, `${shown}, and each tunnel takes one: raise the hard limit (ulimit -Hn, LimitNOFILE=)`);
    } else findings.ok(label, shown);
  }
  return findings.list;
}
