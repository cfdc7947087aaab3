/** `--check` in a cluster: what the agent may and may not do there, as the owner reads it. */
import { expect, it } from "vitest";
import { checkConfig } from "../../agent/check.ts";
import { parseConfig } from "../../agent/config.ts";
import { PATCH, READ, startCluster } from "./cluster.ts";
import { startTestEdge } from "./edge.ts";

/** The lines about the cluster, and whether all is well. */
async function check(
  rbac: typeof READ,
  leases: object,
  certificates?: object,
): Promise<{ readonly lines: readonly string[]; readonly isFine: boolean }> {
  const cluster = await startCluster({ rbac });
  const edge = await startTestEdge();
  edge.answer(() => ({ status: 200, body: { status: "ok" } }));
  const text = JSON.stringify({
    edge: edge.url,
    cluster: "eu-1",
    enroll: { code: "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH" },
    sources: {
      kubernetes: { url: cluster.server.url, tokenFile: "token", namespaces: ["shop"] },
      ...(certificates === undefined ? {} : { certificates }),
    },
    leases,
  });
  const config = parseConfig(text, cluster.dataDir);
  if (!config.ok) throw new Error(JSON.stringify(config.failure));
  const lines: string[] = [];
  const isFine = await checkConfig(config.value, Date.now(), (line) => void lines.push(line));
  expect(cluster.server.requests().filter((request) => /^(PATCH|PUT|DELETE)/.test(request))).toEqual([]);
  await edge.close();
  await cluster.stop();
  return { lines: lines.filter((line) => /shop|leases/.test(line)), isFine };
}

const TARGETS = [
  { ref: "shop/checkout", modes: ["announce", "scale"], floor: 1 },
  { ref: "shop/reports", modes: ["announce"] },
];

it("says what it may, and that it may not more than it needs", async () => {
  expect(await check([...READ, ...PATCH], { targets: TARGETS, dryRun: true })).toEqual({
    isFine: true,
    lines: [
      "ok    kubernetes namespace shop: 2 deployments",
      "ok    shop: deployments: may be read and watched",
      "ok    shop: pods: may be read and watched",
      "ok    shop: horizontalpodautoscalers: may be read and watched",
      "ok    shop: events: may be read and watched",
      "ok    shop: more than it needs: nothing: no secrets, nothing deleted, patches by name only",
      "ok    shop/checkout: maintenance: may be annotated and scaled down to 1, not below, for 4 h at most, then put back; leases.dryRun is true, so nothing is written",
      "ok    shop/reports: maintenance: may be annotated, not scaled, for 4 h at most, then put back; leases.dryRun is true, so nothing is written",
      "note  leases.dryRun is true: what would be patched is logged, and nothing is",
    ],
  });
});

it("fails where a target may not be patched, and warns of an account that may everything", async () => {
  const [none] = [await check(READ, { targets: TARGETS })];
  expect(none?.isFine).toBe(false);
  expect(none?.lines).toContain("FAIL  shop/checkout: maintenance: may not be patched, though leases.targets lists it");
  expect(none?.lines).toContain(
    "note  shop/reports: maintenance: may not be patched: announcements are only acknowledged",
  );
  const user = READ[0]?.user ?? "";
  const all = { user, verbs: ["*"], groups: ["*"], resources: ["*"], namespaces: ["*"] };
  const much = await check([all], { targets: TARGETS });
  expect(much.isFine).toBe(true);
  expect(much.lines).toContain(
    "note  shop: more than it needs: may read secrets, list secrets, delete deployments, create pods, patch every deployment; the chart's Role would not allow it",
  );
  const few = await check(
    READ.filter(({ resources }) => !resources.includes("pods")),
    {},
  );
  expect(few.lines).toContain("FAIL  shop: pods: may not get, list, watch pods");
  expect(few.lines).toContain("note  shop: events: may not get, list, watch events; the rest works without it");
});

it("says whether what was opted in may be listed, and that no more of Secrets is", async () => {
  const certificates = { secrets: { namespaces: ["shop"] }, certManager: { namespaces: ["shop"] } };
  const list = {
    user: READ[0]?.user ?? "",
    verbs: ["list"],
    groups: [""],
    resources: ["secrets"],
    namespaces: ["shop"],
  };
  const { lines, isFine } = await check([...READ, list], {}, certificates);
  expect(isFine).toBe(false);
  expect(lines).toContain(
    "ok    shop: more than it needs: nothing: secrets by list alone, nothing deleted, patches by name only",
  );
  expect(lines).toContain("ok    shop: TLS secrets: may be listed");
  expect(lines).toContain(
    "FAIL  shop: cert-manager's certificates: may not list certificates: sources.certificates asks for them",
  );
});
