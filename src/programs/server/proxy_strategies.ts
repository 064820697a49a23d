import type { StrategyName } from "../../server/strategies.ts";

/** `--proxy-strategies` names a strategy that does not exist, or none. */
export class ProxyStrategiesError extends Error {
  override readonly name = "ProxyStrategiesError";
  readonly code = "bad-proxy-strategies";
}

/** Reads one strategy's name, in its exact letters. @throws {ProxyStrategiesError} */
export function parseProxyStrategy(name: string): StrategyName {
  if (name === "default" || name === "destHost" || name === "defaultRoute") return name;
  throw new ProxyStrategiesError(`unknown proxy strategy: ${name}`);
}

/** Reads a comma list of strategies, in the order in which they are tried. @throws {ProxyStrategiesError} */
export function parseProxyStrategies(text: string): StrategyName[] {
  const names = text.split(",").filter((name) => name !== "");
  if (names.length === 0) throw new ProxyStrategiesError("proxy strategies cannot be empty");
  return names.map(parseProxyStrategy);
}
