import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { formatHostPort } from "../wire/host_port.ts";
import { KubeError } from "./kube_error.ts";

/**
 * Has an HTTP proxy connect to the API.
 * @returns the connection, on which TLS with the API begins
 * @throws {KubeError} `unreachable`; the signal's reason when it aborts
 */
export function openProxyTunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const authority = formatHostPort(target.hostname.replace(/^\[|\]$/g, ""), Number(target.port || 443));
  const credentials = proxy.username === ""
    ? {}
    : { "proxy-authorization": `Basic ${btoa(decodeURIComponent(`${proxy.username}:${proxy.password}`))}` };
  return new Promise((resolve, reject) => {
    const options = {
      host: proxy.hostname.replace(/^\[|\]$/g, ""),
      port: Number(proxy.port || (proxy.protocol === "https:" ? 443 : 80)),
      method: "CONNECT",
      path: authority,
      headers: { host: authority, ...credentials },
      agent: false as const,
      signal,
    };
    const asked: ClientRequest = proxy.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
    const fail = (what: string, cause?: unknown) =>
      reject(
        signal.aborted
          ? signal.reason
          : new KubeError("unreachable", `proxy ${proxy.host} for the Kubernetes API ${what}`, { cause }),
      );
    asked.once("connect", (response, socket: Socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      fail(`answered ${response.statusCode}`);
    });
    asked.once("response", (response) => {
      response.destroy();
      fail(`answered ${response.statusCode}`);
    });
    asked.on("error", (cause) => fail(`cannot be used: ${cause.message}`, cause));
    asked.end();
  });
}
