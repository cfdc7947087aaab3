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

const ACCOUNT = "observatory-contract";

/** A service account of a real server that may get and list the deployment `two`, by name. */
export async function limitedAccount(
  access: Access,
  namespace: string,
): Promise<{ readonly access: Access; remove(): Promise<void> }> {
  const rbac = "rbac.authorization.k8s.io";
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const roles = `/apis/${rbac}/v1/namespaces/${namespace}/roles`;
  const bindings = `/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`;
  const remove = async (): Promise<void> => {
    for (const collection of [bindings, roles, accounts]) await call(access, "DELETE", `${collection}/${ACCOUNT}`);
  };
  await remove();
  const metadata = { name: ACCOUNT };
  const rules = [{ apiGroups: ["apps"], resources: ["deployments"], resourceNames: ["two"], verbs: ["get", "list"] }];
  const bound = {
    roleRef: { apiGroup: rbac, kind: "Role", name: ACCOUNT },
    subjects: [{ kind: "ServiceAccount", name: ACCOUNT, namespace }],
  };
  await call(access, "POST", accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
  await call(access, "POST", roles, { apiVersion: `${rbac}/v1`, kind: "Role", metadata, rules });
  await call(access, "POST", bindings, { apiVersion: `${rbac}/v1`, kind: "RoleBinding", metadata, ...bound });
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 600 } };
  const { body } = await call(access, "POST", `${accounts}/${ACCOUNT}/token`, asked);
  const { token = "" } = (body["status"] ?? {}) as { readonly token?: string };
  const { ca } = access.tls;
  const own = { ...access, headers: { authorization: `Bearer ${token}` }, tls: ca === undefined ? {} : { ca } };
  return { access: own, remove };
}
