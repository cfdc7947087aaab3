import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseConfig } from "../../agent/config.ts";

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly {
    readonly resources: string[];
    readonly verbs: string[];
    readonly resourceNames?: string[];
  }[];
}

const manifests = parseAllDocuments(readFileSync("agent/deploy/agent.yaml", "utf8")).map(
  (document) => document.toJS() as Manifest,
);

it("the manifests grant nothing cluster-wide, no secrets, and patches by name only", () => {
  expect(manifests.filter(({ kind }) => kind.startsWith("Cluster"))).toEqual([]);
  const rules = manifests.flatMap((manifest) => manifest.rules ?? []);
  expect(rules.length).toBeGreaterThan(0);
  for (const { resources, verbs, resourceNames } of rules) {
    expect(resources).not.toContain("secrets");
    expect([...resources, ...verbs]).not.toContain("*");
    if (verbs.some((verb) => !["get", "list", "watch"].includes(verb)))
      expect(resourceNames?.length).toBeGreaterThan(0);
  }
});

it("the agent takes the configuration of the manifests", () => {
  const text = manifests.find(({ kind }) => kind === "ConfigMap")?.data?.["agent.yaml"] ?? "";
  const config = parseConfig(text, "/etc/observatory");
  expect(config).toMatchObject({ ok: true });
});
