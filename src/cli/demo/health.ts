import { get } from "node:http";
import { loopback } from "./frontends.ts";

/** Whether a health port answers 200 on a path, over a connection that is closed afterwards. */
export function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: loopback, port, path, agent: false, headers: { connection: "close" } });
    request.on("error", () => resolve(false));
    request.on("response", (response) => {
      response.on("error", () => {});
      response.resume();
      response.on("close", () => resolve(response.statusCode === 200));
    });
  });
}
