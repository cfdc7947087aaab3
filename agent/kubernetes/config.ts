/** `sources.kubernetes` of agent.yaml, and where it leads. */
import * as v from "valibot";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export const Namespaces = v.pipe(
  v.array(v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be the name of a namespace"))),
  v.minLength(1),
  v.maxLength(50),
);
const Url = v.pipe(
  v.string(),
  v.url(),
  v.check((text) => !URL.canParse(text) || safeUrl(new URL(text)), "must be https, or http on 127.0.0.1"),
);

/** `sources.kubernetes` of agent.yaml. */
export const KubernetesConfigSchema = v.union([
  v.strictObject({ inCluster: v.literal(true), namespaces: Namespaces }),
  v.strictObject({ url: Url, tokenFile: v.string(), caFile: v.optional(v.string()), namespaces: Namespaces }),
]);
export type KubernetesConfig = Readonly<v.InferOutput<typeof KubernetesConfigSchema>>;

function safeUrl(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && url.hostname === "127.0.0.1");
}

/** Where the API server is, and the files that hold the account's token and the cluster's authority. */
export interface Place {
  readonly url: string;
  readonly tokenFile: string;
  readonly caFile?: string | undefined;
}

export function placeOf(config: KubernetesConfig): Place {
  if (!("inCluster" in config)) return config;
  const host = process.env["KUBERNETES_SERVICE_HOST"] ?? "kubernetes.default.svc";
  const port = process.env["KUBERNETES_SERVICE_PORT"] ?? "443";
  const name = host.includes(":") ? `[${host}]` : host;
  return { url: `https://${name}:${port}`, tokenFile: `${ACCOUNT}/token`, caFile: `${ACCOUNT}/ca.crt` };
}
