/** Raw requests to an API server, as its owner makes them. */
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { parse } from "yaml";

export interface Access {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface Answer {
  readonly status: number;
  readonly body: { readonly [key: string]: unknown };
}

export function call(
  access: Access,
  method: string,
  path: string,
  body?: object | string,
  contentType = "application/json",
): Promise<Answer> {
  const url = new URL(path, access.url);
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const headers = {
      ...access.headers,
      accept: "application/json",
      ...(text === undefined ? {} : { "content-type": contentType }),
    };
    const request = send(url, { method, headers, ...access.tls }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("end", () => {
        const whole = Buffer.concat(chunks).toString("utf8");
        resolve({
          status: response.statusCode ?? 0,
          body: whole.startsWith("{") ? (JSON.parse(whole) as Answer["body"]) : { text: whole },
        });
      });
    });
    request.on("error", reject);
    request.end(text);
  });
}

/** The current context of a kubeconfig, with a token or a client certificate; its authority goes into `folder`. */
export function readKubeconfig(
  path: string,
  folder: string,
): Access & { readonly token: string | null; readonly caFile: string | null } {
  type Named = { name: string } & Record<string, Record<string, string>>;
  const config = parse(readFileSync(path, "utf8")) as {
    "current-context": string;
    contexts: Named[];
    clusters: Named[];
    users: Named[];
  };
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.["context"];
  const cluster = config.clusters.find(({ name }) => name === context?.["cluster"])?.["cluster"] ?? {};
  const user = config.users.find(({ name }) => name === context?.["user"])?.["user"] ?? {};
  const text = (from: Record<string, string>, key: string): string | undefined => {
    const data = from[`${key}-data`];
    const file = from[key];
    return data !== undefined
      ? Buffer.from(data, "base64").toString("utf8")
      : file === undefined
        ? undefined
        : readFileSync(file, "utf8");
  };
  const ca = text(cluster, "certificate-authority");
  const cert = text(user, "client-certificate");
  const key = text(user, "client-key");
  const token = user["token"] ?? null;
  if (ca !== undefined) writeFileSync(join(folder, "ca.crt"), ca);
  return {
    url: cluster["server"] ?? "",
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    token,
    caFile: ca === undefined ? null : join(folder, "ca.crt"),
  };
}
