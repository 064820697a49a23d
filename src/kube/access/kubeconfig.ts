import { dirname, resolve } from "node:path";
import { type HttpProxy, parseHttpProxy } from "../../dial/proxy/http_proxy.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type ApiAccess, ApiAccessError, type ApiCredentials } from "./api_access.ts";
import { FreshFile } from "./fresh_file.ts";
import { listMember, memberOf, objectOf, textMember } from "../client/json_value.ts";
import { YamlError, yamlValue } from "./yaml_values.ts";

/** Ways to prove oneself that a kubeconfig can name and this client does not know, with what to do instead. */
const refused: Readonly<Record<string, string>> = {
  "exec": "runs a program for its credentials, which this program does not; use a client certificate or a token file",
  "auth-provider":
    "names an auth provider, which Kubernetes itself no longer knows; use a client certificate or a token",
  "as": "acts as another user, which this program does not; use that user's own credentials",
};

/** What a kubeconfig says. */
export interface KubeconfigAccess extends ApiAccess {
  /** Paths of the files beside it that its credentials are read from. */
  readonly files: readonly string[];
}

/**
 * Reads a kubeconfig (v1, YAML or JSON) and takes its current context.
 * @param path for messages, and where relative paths in it start
 * @throws {ApiAccessError} saying what is wrong with it
 */
export function parseKubeconfig(text: string, path: string, clock: Clock): KubeconfigAccess {
  const fail = (what: string): ApiAccessError => new ApiAccessError(`${path}: ${what}`);
  let config: unknown;
  try {
    config = yamlValue(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw fail(`is not YAML: ${error.message}`);
  }
  const named = (list: string, kind: string, name: string): unknown => {
    const entry = listMember(config, list).find((each) => memberOf(each, "name") === name);
    const value = memberOf(entry, kind);
    if (objectOf(value) === undefined) throw fail(`has no ${kind} ${JSON.stringify(name)}`);
    return value;
  };
  if (objectOf(config) === undefined) throw fail("holds no configuration");
  const current = textMember(config, "current-context");
  if (current === "") throw fail("has no current-context");
  const context = named("contexts", "context", current);
  const cluster = named("clusters", "cluster", textMember(context, "cluster"));
  // A context without a user is legal: the API then sees an anonymous one.
  const userName = textMember(context, "user");
  const user = userName === "" ? {} : named("users", "user", userName);
  for (const [member, why] of Object.entries(refused)) {
    if (memberOf(user, member) !== undefined) throw fail(`user ${JSON.stringify(userName)} ${why}`);
  }
  const insecure = memberOf(cluster, "insecure-skip-tls-verify") === true;
  const ca = source(cluster, "certificate-authority", path, clock, fail);
  if (insecure && ca !== undefined) {
    throw fail("insecure-skip-tls-verify and a certificate authority exclude each other");
  }
  const serverName = textMember(cluster, "tls-server-name");
  const proxy = textMember(cluster, "proxy-url");
  return {
    server: urlOf(textMember(cluster, "server"), ["https:", "http:"], "server", fail),
    ...(proxy === "" ? {} : { proxy: proxyOf(proxy, fail) }),
    ...(serverName === "" ? {} : { serverName }),
    insecure,
    ...credentialsOf(user, ca, path, clock, fail),
  };
}

/** Text of the file itself, or of a file that it names. */
type Source = string | FreshFile;

function read(source: Source): string | Promise<string> {
  return typeof source === "string" ? source : source.text();
}

/** Text in base64 under `NAME-data`, which wins, or in the file that `NAME` names. */
function source(
  value: unknown,
  name: string,
  path: string,
  clock: Clock,
  fail: (what: string) => ApiAccessError,
): Source | undefined {
  const data = textMember(value, `${name}-data`);
  if (data !== "") {
    try {
      return atob(data.replace(/\s/g, ""));
    } catch {
      throw fail(`${name}-data is not base64`);
    }
  }
  const file = textMember(value, name);
  return file === "" ? undefined : new FreshFile(resolve(dirname(path), file), name, clock);
}

function credentialsOf(
  user: unknown,
  ca: Source | undefined,
  path: string,
  clock: Clock,
  fail: (what: string) => ApiAccessError,
): Pick<KubeconfigAccess, "credentials" | "expire" | "files"> {
  const cert = source(user, "client-certificate", path, clock, fail);
  const key = source(user, "client-key", path, clock, fail);
  if ((cert === undefined) !== (key === undefined)) {
    throw fail("client-certificate and client-key are needed together, one is missing");
  }
  const tokenFile = textMember(user, "tokenFile");
  const token: Source = tokenFile === ""
    ? textMember(user, "token")
    : new FreshFile(resolve(dirname(path), tokenFile), "tokenFile", clock);
  const name = textMember(user, "username");
  const basic = name === "" ? "" : `Basic ${base64(`${name}:${textMember(user, "password")}`)}`;
  const files = [ca, cert, key, token].filter((each) => each instanceof FreshFile);
  return {
    files: files.map((file) => file.path),
    async credentials() {
      const bearer = token === "" ? "" : `Bearer ${(await read(token)).trim()}`;
      const authorization = bearer === "" ? basic : bearer;
      const found: { -readonly [Name in keyof ApiCredentials]: ApiCredentials[Name] } = {};
      if (ca !== undefined) found.ca = await read(ca);
      if (cert !== undefined) found.cert = await read(cert);
      if (key !== undefined) found.key = await read(key);
      if (authorization !== "") found.authorization = authorization;
      return found;
    },
    expire() {
      for (const file of files) file.expire();
    },
  };
}

function urlOf(
  text: string,
  protocols: readonly string[],
  what: string,
  fail: (what: string) => ApiAccessError,
): URL {
  if (text === "") throw fail(`${what} is missing`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !protocols.includes(url.protocol)) {
    const schemes = protocols.map((protocol) => `${protocol}//`).join(" or ");
    throw fail(`${what} must be a URL that starts with ${schemes}`);
  }
  return url;
}

function proxyOf(text: string, fail: (what: string) => ApiAccessError): HttpProxy {
  const proxy = parseHttpProxy(text);
  if (typeof proxy === "string") throw fail(`proxy-url ${proxy}`);
  return proxy;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
