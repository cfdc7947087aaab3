/** What a cluster's owner installs: rendered, and held to what it may grant. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CONFIG_KEYS, parseConfig } from "../../agent/config.ts";
import { manifestsOf, renderChart, type Manifest } from "../../dev/chart/chart.ts";
import type { Value } from "../../dev/chart/functions.ts";
import { parseTemplate, renderTemplate, type Templates } from "../../dev/chart/template.ts";
import { agentYaml } from "../../web/view/agent-yaml.ts";
import { rulesOf } from "../../dev/kubernetes/rbac.ts";
import { startKubernetesServer } from "../../dev/kubernetes/server.ts";

type Values = { readonly [key: string]: Value };
const SMALLEST: Values = {
  edge: "https://status.example.com",
  cluster: "eu-1",
  enroll: { code: "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH" },
  sources: { kubernetes: { inCluster: true, namespaces: ["shop", "data"] } },
  leases: {
    edgeKeys: ["A".repeat(43) + "="],
    targets: [
      { ref: "shop/checkout", modes: ["announce", "scale"], floor: 0 },
      { ref: "shop/reports", modes: ["announce"] },
      { ref: "back/ledger", modes: ["announce"] },
    ],
  },
};
const render = (values: Values = SMALLEST): readonly Manifest[] => manifestsOf(renderChart(values));
const only = (manifests: readonly Manifest[], kind: string): Manifest => {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} of ${kind}`);
  return found[0];
};
const kinds = (manifests: readonly Manifest[]) => [...new Set(manifests.map(({ kind }) => kind))].toSorted();
const podOf = (manifests: readonly Manifest[]) =>
  (only(manifests, "Deployment")["spec"] as { template: { spec: unknown } }).template.spec as {
    readonly securityContext: object;
    readonly automountServiceAccountToken: boolean;
    readonly containers: readonly {
      readonly securityContext: object;
      readonly resources: object;
      readonly args: string[];
    }[];
  };
const configOf = (manifests: readonly Manifest[]) => {
  const text = (only(manifests, "ConfigMap")["data"] as Record<string, string>)["agent.yaml"] ?? "";
  return parseConfig(text, "/etc/observatory");
};

describe("the chart", () => {
  it("makes what it should, and nothing cluster-wide", () => {
    expect(kinds(render())).toEqual([
      "ConfigMap",
      "Deployment",
      "NetworkPolicy",
      "PersistentVolumeClaim",
      "PodDisruptionBudget",
      "Role",
      "RoleBinding",
      "Secret",
      "ServiceAccount",
    ]);
    for (const { metadata } of render()) expect(["observatory", "shop", "data", "back"]).toContain(metadata.namespace);
  });

  it("grants reading in the namespaces, patches of the targets by name, and not one thing more", () => {
    const user = "system:serviceaccount:observatory:observatory-agent";
    const verbs = ["get", "list", "watch"];
    const granted = rulesOf(render());
    expect(new Set(granted.map((rule) => rule.user))).toEqual(new Set([user]));
    for (const namespace of ["shop", "data", "back"]) {
      const rules = granted.filter(({ namespaces }) => namespaces.includes(namespace));
      const names = { shop: ["checkout", "reports"], data: null, back: ["ledger"] }[namespace];
      expect(rules.map(({ verbs: may, groups, resources, names: of }) => [may, groups, resources, of ?? null])).toEqual(
        [
          [verbs, ["apps"], ["deployments"], null],
          [verbs, [""], ["pods", "events"], null],
          [verbs, ["autoscaling"], ["horizontalpodautoscalers"], null],
          ...(names === null ? [] : [[["patch"], ["apps"], ["deployments"], names]]),
        ],
      );
    }
  });

  it("gives the agent a configuration that it takes, with what the pod decides", () => {
    expect(configOf(render())).toMatchObject({
      ok: true,
      value: {
        edge: "https://status.example.com",
        dataDir: "/var/lib/observatory",
        enroll: { codeFile: "/etc/observatory-enrolment/code" },
        health: { listen: "0.0.0.0:8080" },
        leases: { dryRun: false, budget: { perTargetPerHour: 3 }, targets: [{ ref: "shop/checkout" }, {}, {}] },
      },
    });
    expect(JSON.stringify(only(render(), "ConfigMap"))).not.toContain("ABCDEFGH");
  });

  it("hands on every key of agent.yaml but those that the pod decides", () => {
    const helpers = readFileSync("agent/deploy/chart/templates/_helpers.tpl", "utf8");
    const picked = [...(/pick \.Values (.*?) -}}/.exec(helpers)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(([, key]) => key);
    expect(new Set([...picked, "enroll", "dataDir", "health", "leader"])).toEqual(new Set(CONFIG_KEYS));
  });

  it("runs as nobody, on a disk that cannot be written, with bounds", () => {
    const pod = podOf(render());
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65_532 });
    expect(pod.containers).toMatchObject([
      {
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        resources: { limits: { memory: "320Mi" }, requests: { cpu: "50m" } },
        livenessProbe: { httpGet: { path: "/healthz" } },
      },
    ]);
    expect(
      podOf(render({ ...SMALLEST, sources: { prometheus: { url: "http://p" } } })).automountServiceAccountToken,
    ).toBe(false);
  });

  it("lets nobody in and lets out by port", () => {
    const { spec } = only(render(), "NetworkPolicy") as unknown as { spec: { ingress: object[]; egress: object[] } };
    expect(spec).toMatchObject({ policyTypes: ["Ingress", "Egress"], ingress: [] });
    expect(JSON.stringify(spec.egress)).toContain('{"port":443}');
    const metricsFrom = [{ namespaceSelector: { matchLabels: { name: "monitoring" } } }];
    const open = only(render({ ...SMALLEST, networkPolicy: { metricsFrom } }), "NetworkPolicy");
    expect(open["spec"]).toMatchObject({ ingress: [{ from: metricsFrom, ports: [{ port: 8080 }] }] });
  });

  it("lets Secrets and cert-manager's certificates be listed only where that was opted in, by Roles of their own", () => {
    const of = (certificates: Value): readonly unknown[] => {
      const sources = { kubernetes: { inCluster: true, namespaces: ["shop"] }, certificates };
      const rules = rulesOf(render({ ...SMALLEST, leases: {}, sources }));
      return rules
        .filter(({ resources }) => resources.some((one) => one === "secrets" || one === "certificates"))
        .map(({ verbs, groups, resources, namespaces, names }) => [
          verbs,
          groups,
          resources,
          namespaces,
          names ?? null,
        ]);
    };
    expect(of({ endpoints: ["ledger.shop:443"] })).toEqual([]);
    expect(of({ mesh: {} })).toEqual([]);
    expect(of({ secrets: { namespaces: ["shop", "data"] } })).toEqual([
      [["list"], [""], ["secrets"], ["shop"], null],
      [["list"], [""], ["secrets"], ["data"], null],
    ]);
    expect(of({ certManager: { namespaces: ["shop"] } })).toEqual([
      [["list"], ["cert-manager.io"], ["certificates"], ["shop"], null],
    ]);
    const own = configOf(
      render({
        ...SMALLEST,
        sources: {
          kubernetes: { inCluster: true, namespaces: ["shop"] },
          certificates: { secrets: { namespaces: ["data"] } },
        },
      }),
    );
    expect(own).toMatchObject({
      ok: true,
      value: { sources: { certificates: { secrets: ["data"], certManager: [] } } },
    });
  });

  it("of several agents makes the Lease, and lets them write that one alone", () => {
    const manifests = render({ ...SMALLEST, replicas: 2, persistence: { accessMode: "ReadWriteMany" } });
    expect(only(manifests, "Lease").metadata).toMatchObject({ name: "observatory-agent", namespace: "observatory" });
    expect(configOf(manifests)).toMatchObject({ value: { leader: { lease: "observatory/observatory-agent" } } });
    expect(rulesOf(manifests).filter(({ groups }) => groups.includes("coordination.k8s.io"))).toMatchObject([
      { verbs: ["get", "update"], names: ["observatory-agent"], namespaces: ["observatory"] },
    ]);
  });

  it.each<[string, Values, RegExp]>([
    ["no edge", { ...SMALLEST, edge: "" }, /edge: the address/],
    ["no source", { ...SMALLEST, sources: {} }, /at least one/],
    ["two agents on a disk for one", { ...SMALLEST, replicas: 2 }, /ReadWriteMany/],
    [
      "two agents without an API server",
      { ...SMALLEST, replicas: 2, sources: { prometheus: { url: "http://p" } } },
      /replicas/,
    ],
  ])("says what is wrong with %s", (_name, values, message) => expect(() => renderChart(values)).toThrow(message));

  it("is what the plain manifests are rendered from", () => {
    const values = parse(readFileSync("agent/deploy/example-values.yaml", "utf8")) as Values;
    const [head = "", ...rest] = readFileSync("agent/deploy/manifests.yaml", "utf8").split(/^(?=---$)/m);
    expect(head).toContain("npm run -s manifests");
    expect(rest.join("")).toBe(renderChart(values));
  });
});

it("the cluster refuses what the chart does not grant", async () => {
  const user = "system:serviceaccount:observatory:observatory-agent";
  const server = await startKubernetesServer({
    tokens: { t: user },
    rbac: rulesOf(render()),
    deployments: ["checkout", "orders"].map((name) => ({ namespace: "shop", name, replicas: 1 })),
    leases: ["observatory/observatory-agent"],
  });
  const status = async (method: string, path: string): Promise<number> => {
    const headers = { authorization: "Bearer t", "content-type": "application/merge-patch+json" };
    const body = method === "PATCH" ? { body: "{}" } : {};
    return (await fetch(`${server.url}${path}`, { method, headers, ...body })).status;
  };
  const shop = "/apis/apps/v1/namespaces/shop/deployments";
  // As measured on a real server.
  const measured: readonly [string, string, number][] = [
    ["PATCH", `${shop}/checkout`, 200],
    ["PATCH", `${shop}/orders`, 403],
    ["PATCH", `${shop}/checkout/status`, 403],
    ["DELETE", `${shop}/checkout`, 403],
    ["POST", shop, 403],
    ["GET", shop, 200],
    ["GET", "/apis/apps/v1/namespaces/kube-system/deployments", 403],
    ["GET", "/apis/apps/v1/deployments", 403],
    ["GET", "/api/v1/namespaces/shop/secrets", 403],
    ["GET", "/api/v1/namespaces/shop/pods", 200],
    ["DELETE", "/api/v1/namespaces/shop/pods/x", 403],
    ["GET", "/apis/coordination.k8s.io/v1/namespaces/observatory/leases/observatory-agent", 403],
  ];
  for (const [method, path, expected] of measured)
    expect([method, path, await status(method, path)]).toEqual([method, path, expected]);
  await server.stop();
});

it("and of Secrets that are opted in it allows the list alone, and of their namespace", async () => {
  const sources = {
    kubernetes: { inCluster: true, namespaces: ["shop"] },
    certificates: { secrets: { namespaces: ["shop"] } },
  };
  const user = "system:serviceaccount:observatory:observatory-agent";
  const server = await startKubernetesServer({
    tokens: { t: user },
    rbac: rulesOf(render({ ...SMALLEST, sources })),
    deployments: [],
  });
  server.addSecret("shop", "tls", "kubernetes.io/tls", { "tls.crt": "", "tls.key": "" });
  const status = async (path: string): Promise<number> =>
    (await fetch(`${server.url}/api/v1/namespaces/${path}`, { headers: { authorization: "Bearer t" } })).status;
  expect(await status("shop/secrets")).toBe(200);
  expect(await status("shop/secrets/tls")).toBe(403);
  expect(await status("shop/secrets?watch=true")).toBe(403);
  expect(await status("data/secrets")).toBe(403);
  await server.stop();
});

describe("a template", () => {
  const run = (text: string, dot: Value = {}): string => {
    const templates: Templates = new Map();
    return renderTemplate(parseTemplate(text, templates), dot, templates);
  };
  it.each<[string, Value, string]>([
    ["a {{- .x -}} b", { x: 1 }, "a1b"],
    ["{{/* nothing */}}x", {}, "x"],
    ["{{ .missing }}|{{ .zero }}", { zero: 0 }, "|0"],
    ["{{ if .a }}a{{ else if .b }}b{{ else }}c{{ end }}", { b: "yes" }, "b"],
    ["{{ if and .list (not .empty) }}yes{{ end }}", { list: [0], empty: [] }, "yes"],
    ["{{ range $i, $x := .list }}{{ $i }}{{ $x }} {{ else }}none{{ end }}", { list: ["a", "b"] }, "0a 1b "],
    ["{{ range .map }}{{ . }}{{ end }}", { map: { b: 2, a: 1 } }, "12"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", {}, "2"],
    ["{{ with .a }}{{ .b }}{{ $.c }}{{ end }}", { a: { b: 1 }, c: 2 }, "12"],
    ['{{ define "t" }}<{{ .x }}>{{ end }}{{ include "t" . | quote }}', { x: 1 }, '"<1>"'],
    ["a:{{ .x | toYaml | nindent 2 }}", { x: { b: [1], a: "yes" } }, "a:\n  a: yes\n  b:\n    - 1"],
  ])("%s", (text, dot, out) => expect(run(text, dot)).toBe(out));

  it.each([
    ["{{ lookup 1 }}", /lookup is not one of those/],
    ["{{ .a.b }}", /nil has no field b/],
    ["{{ if .a }}", /without its end/],
    ["{{ end }}", /without a beginning/],
    ['{{ include "none" . }}', /no template "none"/],
  ])("%s is refused, not guessed", (text, message) => expect(() => run(text)).toThrow(message));
});

describe("what enrolment prints", () => {
  const enrollment = {
    cluster: "eu-1",
    code: "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH",
    expiresAt: "2026-11-23T14:00:00.000Z",
    edgeKeys: ["A".repeat(43) + "="],
  };
  const print = (namespaces: readonly string[], prometheus: string | null): string =>
    agentYaml("https://status.example.com", enrollment, { namespaces, prometheus });

  it.each<[string, readonly string[], string | null, readonly string[]]>([
    ["an API server", ["shop", "data"], null, ["kubernetes"]],
    ["a Prometheus", [], "http://prometheus.monitoring:9090", ["prometheus"]],
    ["both", ["shop"], "http://prometheus.monitoring:9090", ["kubernetes", "prometheus"]],
  ])("for %s is ready, for the agent and for the chart", (_name, namespaces, prometheus, sources) => {
    const text = print(namespaces, prometheus);
    const own = parseConfig(text, "/tmp");
    expect(own.ok && Object.keys(own.value.sources).toSorted()).toEqual(sources);
    const installed = configOf(render(parse(text) as Values));
    expect(installed.ok && installed.value).toMatchObject({
      cluster: "eu-1",
      leases: { edgeKeys: enrollment.edgeKeys },
    });
  });

  it("and what is commented out can be taken in beside it", () => {
    const text = print(["shop"], null).replaceAll(/^( *)# (prometheus|certificates):/gm, "$1$2:");
    const own = parseConfig(text, "/tmp");
    expect(own.ok && Object.keys(own.value.sources).toSorted()).toEqual(["certificates", "kubernetes", "prometheus"]);
  });

  it("without either says what is missing", () => {
    const own = parseConfig(print([], null), "/tmp");
    expect(own.ok ? [] : own.failure.map(({ message }) => message)).toEqual([
      expect.stringContaining("add at least one"),
    ]);
    // Its comment, taken in, is a source.
    expect(parseConfig(print([], null).replaceAll(/^# (sources:|  kubernetes:)/gm, "$1"), "/tmp")).toMatchObject({
      ok: true,
    });
  });
});
