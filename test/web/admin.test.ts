import { describe, expect, it } from "vitest";
import { HOUR, SECOND } from "../../protocol/time.ts";
import { renderArchive } from "../../web/view/admin/archive.ts";
import { renderComponent } from "../../web/view/admin/component.ts";
import { renderCluster } from "../../web/view/admin/cluster.ts";
import { renderClusters } from "../../web/view/admin/clusters.ts";
import { consequence, consequenceRegion } from "../../web/view/admin/consequence.ts";
import { renderDetector } from "../../web/view/admin/detector.ts";
import { renderAdminHome } from "../../web/view/admin/home.ts";
import { renderMaintenanceNew } from "../../web/view/admin/maintenance-new.ts";
import { renderMaintenance } from "../../web/view/admin/maintenance.ts";
import type { SignInModel } from "../../web/view/admin/doors-model.ts";
import type { DetectorPageModel } from "../../web/view/admin/detector-model.ts";
import type { AdminHomeModel, MaintenanceModel } from "../../web/view/admin/model.ts";
import { renderServices } from "../../web/view/admin/services.ts";
import { renderSignIn } from "../../web/view/admin/sign-in.ts";
import { isOpen, maintenanceSteps, standing } from "../../web/view/admin/steps.ts";
import {
  ANSWERED,
  ARCHIVE_PAGE,
  cluster,
  CLUSTER_PAGE,
  COMPONENT_FORM,
  COMPONENT_PAGE,
  DETECTOR_PAGE,
  EMPTY_HOME,
  FAULTY_MAINTENANCE,
  FRAME,
  HOME,
  maintenance,
  refusedMaintenance,
  service,
  SERVICES,
  TARGETS,
} from "./admin-models.ts";
import { NOW } from "./snapshots.ts";

const text = (markup: string): string =>
  markup.replace(/<script.*?<\/script>|<style>.*?<\/style>|<[^>]*>/gs, "").replace(/\s+/g, " ");

const SIGN_IN: SignInModel = {
  pageName: "Acme",
  token: null,
  problem: null,
  passkeys: true,
  passkeysAt: null,
  access: false,
};

const UNBORN = { deliveredAt: null, acceptedAt: null, appliedAt: null, result: null };

describe("a maintenance's steps", () => {
  const told = (m: MaintenanceModel): string[] =>
    maintenanceSteps(m, NOW, "Etc/UTC").map((step) => `${step.state} ${step.word}`);
  it.each([
    [
      "requested",
      maintenance(UNBORN),
      ["done Requested", "next Agent has it", "open Kubernetes accepted", "open Applied", "open Ends", "open Restored"],
    ],
    [
      "applied",
      maintenance(),
      ["done Requested", "done Agent has it", "done Kubernetes accepted", "done Applied", "open Ends", "open Restored"],
    ],
    [
      "ended, not yet restored",
      maintenance({ endedAt: NOW - SECOND }),
      [
        "done Requested",
        "done Agent has it",
        "done Kubernetes accepted",
        "done Applied",
        "done Ended",
        "next Restored",
      ],
    ],
    [
      "expired",
      maintenance({ endsAt: NOW - SECOND }),
      [
        "done Requested",
        "done Agent has it",
        "done Kubernetes accepted",
        "done Applied",
        "done Expired",
        "next Restored",
      ],
    ],
    ["refused", refusedMaintenance(), ["done Requested", "done Agent has it", "failed Refused"]],
  ])("when %s", (_name, m, steps) => expect(told(m)).toEqual(steps));

  it.each([
    ["requested", maintenance(UNBORN), "requested", true],
    ["delivered", maintenance({ acceptedAt: null, appliedAt: null, result: null }), "delivered", true],
    ["applied", maintenance(), "applied", true],
    ["refused", refusedMaintenance(), "refused", true],
    ["refused and taken back", { ...refusedMaintenance(), endedAt: NOW }, "refused", false],
    ["ended before anything happened", maintenance({ ...UNBORN, endedAt: NOW }), "restored", false],
    ["restored", maintenance({ endedAt: NOW, restoredAt: NOW }), "restored", false],
  ])("%s stands where it should, and is open or not", (_name, m, stands, open) => {
    expect([standing(m, NOW), isOpen(m, NOW)]).toEqual([stands, open]);
  });
});

describe("what will happen is said before it does", () => {
  const [checkout, ledger, frontend] = TARGETS;
  it.each([
    [
      "scaling",
      checkout,
      "scale",
      1,
      false,
      "Deployment shop/checkout: 3 → 1 replicas in cluster eu-1, restored by 18:02 UTC at the latest.",
    ],
    [
      "announcing",
      checkout,
      "announce",
      null,
      false,
      'Deployment shop/checkout in cluster eu-1 gets the annotation maintenance="true"; its 3 replicas stay. Removed by 18:02 UTC at the latest.',
    ],
    [
      "going below the floor",
      checkout,
      "scale",
      0,
      true,
      "The agent of eu-1 will refuse: its configuration keeps at least 1 replicas of shop/checkout.",
    ],
    [
      "a target not allowed",
      ledger,
      "announce",
      null,
      true,
      "The agent of eu-1 will refuse: its configuration does not allow shop/ledger as a target.",
    ],
    [
      "a mode not allowed",
      frontend,
      "scale",
      1,
      true,
      "The agent of us-2 will refuse: its configuration does not allow to scale web/frontend.",
    ],
  ] as const)("%s", (_name, target, mode, replicas, fatal, words) => {
    if (target === undefined) throw new Error("no such target");
    expect(consequence(target, mode, replicas, "18:02 UTC")).toEqual({ fatal, text: words });
  });

  it("says by when, from the hours typed", () => {
    const values = { target: "eu-1/shop/checkout", mode: "scale", replicas: "1", hours: "2" };
    expect(consequenceRegion(TARGETS, values, FRAME).text).toContain("restored by 16:02 UTC at the latest");
  });
});

describe("the start page", () => {
  const home = text(renderAdminHome(HOME, FRAME));
  it.each([
    ["a key to accept", "An agent asks to speak for lab since 14:00:39 UTC, 2 min ago. Compare its fingerprint"],
    ["a silent agent", "us-2 is silent. Last push 13:50:39 UTC, 12 min ago"],
    [
      "a refused lease, with the agent's reason",
      "Ledger pause in eu-1: shop/ledger is not in the agent&#39;s leases.targets",
    ],
    ["a source in trouble", "eu-1: certificates is stale. ledger.shop: connection timed out."],
    ["an open maintenance", "Database upgrade is open in eu-1 until 18:02 UTC."],
    ["what Postgres does not have", "Not archived since 13:35 UTC. Nothing is lost"],
    ["where it waits", "us-2: 411 facts, the oldest since 13:35 UTCthis page: 1 fact, the oldest since 13:45 UTC"],
    ["what to do about it", "Postgres said: unavailable: connection refusedSee whether the database runs"],
  ])("asks for a human about %s", (_name, words) => expect(home).toContain(words));

  it("asks for a draft to be decided while its alerts fire, and says nothing of it after that", () => {
    const drafted = (drafts: AdminHomeModel["drafts"]): string =>
      text(renderAdminHome({ ...EMPTY_HOME, drafts }, FRAME));
    const [open] = HOME.drafts;
    if (open === undefined) throw new Error("no draft");
    expect(drafted([open])).toMatch(
      /Needs you now\s*Checkout: partial outage: a draft waits for you\..*2 alerts fire\./s,
    );
    const over = drafted([{ ...open, firing: 0, ended: 2, endedAt: NOW }]);
    expect(over).toMatch(/Needs you now\s*Nothing\..*All 2 of its alerts are over/s);
    expect(drafted([])).not.toContain("Drafts of incidents");
  });

  it("says so when nothing needs one, and what to do with nothing at all", () => {
    const quiet = text(renderAdminHome({ ...EMPTY_HOME, clusters: [cluster({ sources: [] })], components: 1 }, FRAME));
    expect(quiet).toContain("Needs you nowNothing.");
    expect(text(renderAdminHome(EMPTY_HOME, FRAME))).toContain("No cluster yet. Let one join");
  });

  it("lists open maintenances first", () => {
    const [, list = ""] = home.split("MaintenancesMaintenance");
    expect(list.indexOf("Database upgrade")).toBeLessThan(list.indexOf("Card provider change"));
  });
});

describe("the archive", () => {
  const of = (fields: Partial<typeof ARCHIVE_PAGE>): string =>
    text(renderArchive({ ...ARCHIVE_PAGE, ...fields }, FRAME));

  it("says that all is there, or what is not", () => {
    expect(of({ archive: null })).toContain("Every fact that should be in Postgres is there.");
    expect(of({})).toContain("us-2: 411 facts");
  });

  it("tells of the last run what went out, and which cluster could not be reached", () => {
    expect(of({})).toContain("214 facts of this page and 1830 facts of 2 clusters sent again, done in 30 s.");
    expect(of({})).toContain("us-2 could not be reached: Error: Durable Object is overloaded.");
  });

  it("tells of one under way how many clusters are to go", () => {
    const reflush = { ...ARCHIVE_PAGE.reflush, finishedAt: null, pending: ["a"], unreachable: [] };
    expect(of({ reflush: reflush as typeof ARCHIVE_PAGE.reflush })).toContain("1 cluster to go. Look again");
  });

  it("keeps what was typed beside what is wrong with it", () => {
    const faults = [{ field: "since", message: "Give a moment that has passed: times here are UTC." }];
    const page = renderArchive(
      { ...ARCHIVE_PAGE, values: { since: "2036-01-01T00:00", cluster: "lab" }, faults },
      FRAME,
    );
    expect(page).toMatch(/value="2036-01-01T00:00" aria-invalid="true" aria-describedby="fault-since hint-since"/);
    expect(page).toContain('<option value="lab" selected>');
  });
});

describe("forms", () => {
  it("keep what was typed and mark the field that is wrong", () => {
    const page = renderMaintenanceNew(FAULTY_MAINTENANCE, FRAME);
    expect(page).toContain('<option value="eu-1/shop/ledger" selected>');
    expect(page).toMatch(/name="hours"[^>]*value="40" aria-invalid="true" aria-describedby="fault-hours"/);
    expect(page).toMatch(/id="fault-hours">.*At most 24 hours\./);
    expect(page).toMatch(/value="scale" checked/);
  });

  it("keep a refused publication in its own row", () => {
    const rows = renderServices(SERVICES, FRAME).split("<tr>");
    const marked = rows.filter((row) => row.includes('aria-invalid="true"'));
    expect(marked).toHaveLength(1);
    expect(marked[0]).toContain('value="eu-1/shop/ledger"');
  });

  it("offer the end only while there is something to end", () => {
    const page = (m: MaintenanceModel): string =>
      renderMaintenance({ maintenance: m, components: [] }, FRAME).split("<script")[0] ?? "";
    expect(page(maintenance())).toContain('action="/admin/maintenance/maint0000001/end"');
    expect(page(maintenance({ endedAt: NOW }))).not.toContain("End now</button>");
    expect(page(maintenance({ endsAt: NOW }))).not.toContain("End now</button>");
  });

  it("sign in by a button, because opening a link must change nothing", () => {
    const page = renderSignIn({ ...SIGN_IN, token: "one-time" });
    expect(page).toContain(
      '<form method="post" action="/admin/sign-in"><input type="hidden" name="token" value="one-time">',
    );
    expect(renderSignIn(SIGN_IN)).toContain("npm run -s admin-link");
  });
});

describe("the page of a detector", () => {
  const shown = (facts: Partial<DetectorPageModel>): string =>
    text(renderDetector({ ...DETECTOR_PAGE, ...facts }, FRAME));
  const question = { kind: "preview", askedAt: NOW - SECOND, expiresAt: NOW + HOUR, by: "ops", says: null } as const;

  it("tells what another threshold would have raised, service by service, and changes nothing by that", () => {
    expect(shown({})).toContain("0.9 would have raised 3 instead of 11 in the last 7 days");
    expect(shown({})).toMatch(/shop\/cart29 the whole mesh12/);
    expect(shown({})).toMatch(/Threshold in force0\.85, the agent’s own, since/);
  });

  it.each<[string, Partial<DetectorPageModel>, RegExp]>([
    [
      "asked",
      { asked: { ...question, state: "asked" } },
      /asked for by ops 1 s ago: asked, the agent hears of it with its next push\. Look again/,
    ],
    [
      "being answered",
      { asked: { ...question, state: "answering", says: "day 3 of 7 is read" } },
      /the agent is at it: day 3 of 7 is read/,
    ],
    ["asked of a silent agent", { asked: { ...question, state: "silent" } }, /but the agent is silent/],
    ["asked for nothing", { asked: { ...question, state: "unanswered" } }, /no answer came in time/],
    [
      "without data",
      { answered: [{ ...ANSWERED, state: "no_data", preview: null }] },
      /Preview of another threshold: too little data/,
    ],
    ["forbidden", { answered: [{ ...ANSWERED, state: "forbidden", preview: null }] }, /not allowed/],
    ["on its way", { wished: { threshold: 0.9, at: NOW }, isTaken: false }, /0\.9 is on its way/],
  ])("says of a wish that it is %s", (_name, facts, said) => expect(shown(facts)).toMatch(said));
});

describe("a cluster's page", () => {
  it("shows no number of a silent cluster as if it were news", () => {
    const silent = service("shop/quiet", { fresh: false, p95: { estimate: 184, lo: 100, hi: 250 } });
    expect(text(renderCluster({ ...CLUSTER_PAGE, services: [silent] }, FRAME))).not.toContain("184");
  });
});

describe("hostile text", () => {
  const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;
  const frame = { ...FRAME, pageName: EVIL };
  const wild = maintenance({
    id: EVIL,
    name: EVIL,
    reason: EVIL,
    by: EVIL,
    cluster: EVIL,
    service: EVIL,
    result: { state: "forbidden", reason: EVIL, evidence: null, at: NOW },
  });
  const rows = [
    service(EVIL, { cluster: EVIL, published: [{ id: EVIL, name: EVIL, group: EVIL }] }),
    service(`${EVIL}/x`, { cluster: EVIL }),
  ];
  const source = { name: "kubernetes" as const, state: "down" as const, detail: EVIL, okAt: null };
  const wildCluster = cluster({ name: EVIL, agentVersion: EVIL, sources: [source] });
  const wildDetector: Partial<DetectorPageModel> = {
    cluster: EVIL,
    detail: EVIL,
    unusual: [{ from: 0, to: null, service: EVIL, kind: "incident", name: EVIL }],
    asked: { kind: "retrain", state: "answering", askedAt: NOW, expiresAt: NOW, by: EVIL, says: EVIL },
    answered: [{ ...ANSWERED, by: EVIL, says: EVIL }],
    form: { values: { threshold: EVIL }, faults: [{ field: "threshold", message: EVIL }] },
  };
  const allowed = { modes: ["scale" as const], floor: 0 };
  const pages: [string, string][] = [
    ["sign-in", renderSignIn({ ...SIGN_IN, pageName: EVIL, token: EVIL, problem: EVIL })],
    [
      "home",
      renderAdminHome(
        {
          plans: [{ id: EVIL, name: EVIL, startsAt: NOW }],
          incidents: [],
          uncovered: [{ name: EVIL, status: "major_outage" }],
          clusters: [wildCluster],
          pendingKeys: [{ cluster: EVIL, requestedAt: NOW }],
          maintenances: [wild],
          components: 0,
          archive: { delays: [{ cluster: EVIL, waiting: 1, since: NOW }], failure: EVIL },
          drafts: [
            {
              id: EVIL,
              title: EVIL,
              cluster: EVIL,
              components: [{ name: EVIL, status: "major_outage" }],
              startedAt: NOW,
              cause: EVIL,
              firing: 1,
              ended: 0,
              endedAt: null,
              unconfirmedSince: NOW,
            },
          ],
        },
        frame,
      ),
    ],
    ["detector", renderDetector({ ...DETECTOR_PAGE, ...wildDetector }, frame)],
    [
      "cluster",
      renderCluster(
        {
          cluster: wildCluster,
          detector: { state: "off", threshold: null },
          services: rows,
        },
        frame,
      ),
    ],
    [
      "archive",
      renderArchive(
        {
          archive: { delays: [{ cluster: EVIL, waiting: 1, since: NOW }], failure: EVIL },
          reflush: {
            since: NOW,
            by: EVIL,
            startedAt: NOW,
            finishedAt: NOW,
            own: 1,
            facts: 1,
            asked: 1,
            pending: [EVIL],
            unreachable: [{ cluster: EVIL, reason: EVIL }],
          },
          clusters: [EVIL],
          values: { since: EVIL, cluster: EVIL },
          faults: [{ field: "cluster", message: EVIL }],
        },
        frame,
      ),
    ],
    [
      "services",
      renderServices(
        {
          query: EVIL,
          services: rows,
          refused: {
            values: { service: `${EVIL}/${EVIL}/x`, name: EVIL, group: EVIL },
            faults: [{ field: "name", message: EVIL }],
          },
        },
        frame,
      ),
    ],
    [
      "new maintenance",
      renderMaintenanceNew(
        {
          targets: [
            {
              cluster: EVIL,
              service: EVIL,
              replicas: null,
              allowed,
              reporting: false,
              published: [{ id: EVIL, name: EVIL, group: null }],
            },
          ],
          values: { target: `${EVIL}/${EVIL}`, name: EVIL, reason: EVIL, hours: EVIL, replicas: EVIL },
          faults: [
            { field: "reason", message: EVIL },
            { field: null, message: EVIL },
          ],
        },
        frame,
      ),
    ],
    ["maintenance", renderMaintenance({ maintenance: wild, components: [EVIL] }, frame)],
  ];
  it.each(pages)("stays text on the page %s", (_name, page) => {
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img|onerror='/);
  });
});

describe("an agent's clock", () => {
  it.each([
    ["as ours", 40, "in step"],
    ["a little behind", -2_300, "2.3 s behind"],
    ["five minutes ahead", 300_000, "300 s ahead"],
    ["more than five minutes ahead", 300_100, "skewed: 300.1 s ahead"],
    ["an hour behind", -HOUR, "skewed: 3600 s behind"],
  ])("that is %s is shown so in the list and on its page", (_name, skewMs, words) => {
    const one = cluster({ skewMs });
    for (const page of [
      renderClusters({ clusters: [one], mayChange: true }, FRAME),
      renderCluster({ ...CLUSTER_PAGE, cluster: one }, FRAME),
    ]) {
      expect(text(page)).toContain(words);
      expect(text(page).includes("skewed")).toBe(words.startsWith("skewed"));
    }
  });
});

describe("the page of a component", () => {
  it("says its state and why, what visitors read, and what each cluster says", () => {
    const page = text(renderComponent(COMPONENT_PAGE, FRAME));
    expect(page).toContain("2 % of the usual traffic goes there, so it is partial");
    expect(page).toContain("Visitors read: In 1 of 2 locations, it is not running.");
    expect(page).toContain("The clusters disagree: eu-1 says operational, us-2 says major outage.");
    expect(page).toMatch(/us-2 ?Major outage0 of 3 replicas are ready/);
    expect(page).toContain("no requests since 13:56 UTC");
  });

  it("shows what is seen from outside beside it", () => {
    const page = text(renderComponent(COMPONENT_PAGE, FRAME));
    expect(page).toContain("answers: 200 in 184 ms");
    expect(page).toContain("p95 184 ms (180–188) in this hour and the one before");
    expect(page).toMatch(/200 in 184 ms.*200 in 176 ms.*503 in 92 ms/s);
    expect(text(renderComponent({ ...COMPONENT_PAGE, outside: null }, FRAME))).not.toContain("200 in 184 ms");
  });

  it("of one cluster has no table of clusters", () =>
    expect(
      text(renderComponent({ ...COMPONENT_PAGE, clusters: COMPONENT_PAGE.clusters.slice(0, 1) }, FRAME)),
    ).not.toContain("last push"));

  it("names every field, and reads its hint and its fault out with it", () => {
    const faults = [{ field: "url", message: "Must begin with https://." }];
    const page = renderComponent(
      { ...COMPONENT_PAGE, settings: { ...COMPONENT_FORM, form: { ...COMPONENT_FORM.form, faults } } },
      FRAME,
    );
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const labels = new Set([...page.matchAll(/<label for="([^"]+)"/g)].map(([, id]) => id));
    const fields = [...page.matchAll(/<(?:input|textarea|select) id="([^"]+)"/g)].map(([, id]) => id);
    expect(fields.length).toBeGreaterThan(10);
    expect(fields.filter((id) => !labels.has(id))).toEqual([]);
    const described = [...page.matchAll(/aria-describedby="([^"]+)"/g)].flatMap(([, said]) => said?.split(" ") ?? []);
    const said = [...ids].filter((id) => /^(hint|fault)-/.test(id ?? ""));
    expect(new Set(described)).toEqual(new Set(said));
  });

  it("keeps what was typed, and says beside the field what is wrong with it", () => {
    const values = { ...COMPONENT_FORM.form.values, services: "nonsense", name: '"><b>' };
    const faults = [{ field: "services", message: "“nonsense” must be cluster/namespace/name." }];
    const page = renderComponent(
      { ...COMPONENT_PAGE, settings: { ...COMPONENT_FORM, form: { values, faults } } },
      FRAME,
    );
    expect(page).toContain('value="&#34;&#62;&#60;b&#62;"');
    expect(page).toMatch(
      /<textarea id="services"[^>]* aria-invalid="true" aria-describedby="fault-services hint-services">nonsense</,
    );
    expect(page).toMatch(/<p class="fault" id="fault-services">.*must be cluster/);
  });
});
