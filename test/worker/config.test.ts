/** The page as code: one system's page made on another, byte for byte, and what is refused on the way. */
import { createExecutionContext, runDurableObjectAlarm, waitOnExecutionContext } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import worker, { ROUTES } from "../../worker/index.ts";
import type { Env } from "../../worker/objects/env.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { tell, told } from "../support/facts.ts";
import { bindings } from "./agent.ts";

const OWN = "https://status.acme.example";

/** A deployment of its own, with a Board that nobody has told anything. */
function deployment(name: string) {
  const BOARD = { getByName: () => bindings.BOARD.getByName(name) } as unknown as Env["BOARD"];
  const env: Env = { ...bindings, BOARD };
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const context = createExecutionContext();
    const request = new Request(`https://${name}.test${path}`, { redirect: "manual", ...init });
    const answer = await worker.fetch(request as Parameters<typeof worker.fetch>[0], env, context);
    const copy = new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers });
    await waitOnExecutionContext(context);
    return copy;
  };
  const cli = (method: string, path: string, body?: object, headers = {}): Promise<Response> =>
    call(path, {
      method,
      headers: { authorization: `Bearer ${bindings.OPERATOR_KEY}`, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  return { board: boardOf(env), call, cli };
}
type Deployment = ReturnType<typeof deployment>;

const first = deployment("config-a");
const second = deployment("config-b");
let start = 0;

/** Both ask the archive first, which is empty as long as neither has sent anything. */
beforeAll(async () => {
  for (const { board } of [first, second])
    await vi.waitUntil(async () => (await board.leasesOf("nobody")) !== null, { timeout: 60_000 });
  start = Math.floor(Date.now() / MINUTE) * MINUTE;
  vi.useFakeTimers({ toFake: ["Date"], now: start });
});
afterAll(() => void vi.useRealTimers());

const done = async (answer: Promise<Response>): Promise<unknown> => {
  const { status, ...rest } = await answer.then(async (got) => ({ status: got.status, text: await got.text() }));
  expect([status, status < 300 ? "" : rest.text]).toEqual([status < 300 ? status : 200, ""]);
  return JSON.parse(rest.text);
};

/** A page with all that can be said of one, made as operators make it: bit by bit. */
async function furnish({ board, cli }: Deployment): Promise<void> {
  const components = [
    { name: "Search", group: "Shop", services: ["eu-1/shop/search"] },
    { name: "Pay", group: "Shop / Money", services: ["pay/*"], description: "Where money moves", rule: "any" },
    {
      name: "Vault",
      group: "Shop / Money / Deep",
      services: ["eu-1/shop/cart", "eu-1/shop/search"],
      rule: "quorum",
      quorum: 1,
      slo: { target: 0.99, isPublic: false },
      withheld: ["uptime"],
    },
    { name: "Ledger", services: ["eu-1/pay/ledger"], hidden: true, thresholds: { errorRatioPartial: 0.02 } },
    { name: "Later", services: [], slo: { target: 0.999, isPublic: true }, withheld: ["numbers"] },
    {
      name: "Cart",
      group: "Web",
      services: ["eu-1/shop/cart"],
      url: "https://cart.acme.com/health",
      startsOn: "2026-01-02",
    },
  ];
  await done(cli("PUT", "/cli/v1/components", { components }));
  vi.setSystemTime(start + MINUTE);
  await board.arrange({ move: { group: "Web", beside: { before: "Shop" } } }, "test");
  await done(
    cli("PUT", "/cli/v1/page", {
      name: "Acme & Sons",
      origin: OWN,
      timeZone: "America/St_Johns",
      accent: { light: "#1e40af" },
      links: [{ name: "Help", url: "https://help.acme.example" }],
      variables: { paper: { light: "#fffdf8" } },
    }),
  );
  await done(
    cli("PUT", "/cli/v1/charts", {
      charts: [{ kind: "p95", component: "Cart", name: "Cart answers in" }, { kind: "request_rate" }],
    }),
  );
  await done(cli("PUT", "/cli/v1/limits", { thresholds: { p95Ms: 400 } }));
  const rule = {
    name: "pay",
    match: { severity: "critical" },
    components: [{ component: "Pay", status: "major_outage" }],
  };
  await done(cli("PUT", "/cli/v1/draft-rules", { rules: [rule] }));
  const template = {
    title: "Cannot pay",
    name: "{{component}}: {{status}}",
    status: "investigating",
    affected: "partial_outage",
    body: '# Since {{time}}\n\nPayments: **fail**, "often".',
  } as const;
  expect(await board.templates({ kind: "put", id: null, revision: null, template }, "test")).toMatchObject({
    ok: true,
  });
}

async function yamlOf({ cli }: Deployment): Promise<string> {
  const answer = await cli("GET", "/cli/v1/config", undefined, { accept: "application/yaml" });
  return new TextDecoder().decode(await answer.arrayBuffer());
}

const plan = async ({ cli }: Deployment, file: unknown) =>
  (await done(cli("POST", "/cli/v1/config/plan", { file }))) as {
    revision: string;
    changes: { act: string; name: string }[];
  };

/** The same evidence at the same moments. */
async function evidence(): Promise<void> {
  for (const [minute, cart] of [
    [0, "operational"],
    [1, "degraded_performance"],
    [2, "operational"],
  ] as const) {
    vi.setSystemTime(start + 2 * HOUR + minute * MINUTE);
    const now = Date.now();
    const services = [
      {
        ...told(cart, "shop/cart", cart === "operational" ? null : "It is slow."),
        traffic: { requests: 600, errors: 3, spanMs: MINUTE },
      },
      told("operational", "shop/search"),
      told("operational", "pay/api"),
      told("major_outage", "pay/ledger", "It fails."),
    ];
    for (const { board } of [first, second]) await board.hear({ ...tell(now, services), expiresAt: now + HOUR });
  }
  // The clock was put on by hours, which is no delay of the archive.
  for (const { board } of [first, second])
    await vi.waitUntil(
      async () => {
        await runDurableObjectAlarm(board);
        return (await board.operatorView([])).backlog.waiting === 0;
      },
      { timeout: 60_000 },
    );
}

/** Every public address of a page, of each component, and of two together: one that is added joins by itself. */
function everyPublic(ids: readonly string[]): readonly string[] {
  const gets = ROUTES.filter(({ method, policy }) => method === "GET" && policy === "public").map(({ path }) => path);
  // What is no page's own: its socket and scripts, what is found by a hash, what is announced, and the door.
  const others =
    /live|health|\.js$|card|favicon|metrics-display|incidents\/:id|maintenance\/:id|sign-in|openapi|badge\/|history\/:month/;
  return gets
    .filter((path) => !others.test(path))
    .flatMap((path) =>
      path.includes(":id") && !path.includes(":ids")
        ? ids.map((id) => path.replace(":id", id))
        : [path.replace(":ids", ids.slice(0, 2).toSorted().join(","))],
    );
}

describe("one system's page on another that is empty", () => {
  it("is the same, byte for byte, ids included, and a plan of it is empty", async () => {
    await furnish(first);
    const yaml = await yamlOf(first);
    expect(yaml).toMatch(/^# The page as code/);
    expect(yaml).toContain("title: Cannot pay");
    const file: unknown = parse(yaml);
    vi.setSystemTime(start + HOUR);
    const planned = await plan(second, file);
    expect(planned.changes.filter(({ act }) => act === "create").map(({ name }) => name)).toContain(
      "Shop / Money / Pay",
    );
    await done(second.cli("PUT", "/cli/v1/config", { file, revision: planned.revision }));
    for (const system of [first, second]) expect((await plan(system, file)).changes).toEqual([]);
    const [applied] = (await second.board.audit()).recent;
    const field = { field: "components Shop / Money / Pay: rule", before: null, after: "any" };
    expect(applied).toMatchObject({ act: "config.apply", changes: expect.arrayContaining([field]) });
    expect(await yamlOf(second)).toBe(yaml);
    await evidence();
    vi.setSystemTime(Date.now() + 10_000);
    const { components } = await first.board.snapshot();
    expect(components.map(({ name }) => name)).toEqual(["Cart", "Search", "Pay", "Vault", "Later"]);
    const paths = [
      "/",
      "/de",
      "/ar",
      "/history",
      "/view",
      "/embed/frame",
      "/sitemap.xml",
      "/robots.txt",
      "/llms.txt",
      ...["summary", "status", "components", "incidents", "incidents/unresolved", "scheduled-maintenances"].map(
        (name) => `/api/v2/${name}.json`,
      ),
      "/history.rss",
      "/history.atom",
      "/maintenance.ics",
      "/badge.svg",
      ...components.flatMap(({ id }) => [`/components/${id}`, `/badge/${id}.svg`]),
      ...everyPublic(components.map(({ id }) => id)),
    ];
    for (const path of paths) {
      const [a, b] = await Promise.all([first.call(path), second.call(path)]);
      const [text, other] = await Promise.all([a.text(), b.text()]);
      expect([path, a.status, text.length > 0]).toEqual([path, 200, true]);
      expect(`${path} ${other}`).toBe(`${path} ${text}`);
      expect([path, text.includes("config-a.test")]).toEqual([path, false]);
    }
  });

  it("goes on to be one: what is applied again changes nothing, and what differs is named", async () => {
    const file = parse(await yamlOf(second)) as { components: { name: string; description?: string }[] };
    const before = await second.board.operatorView();
    await done(second.cli("PUT", "/cli/v1/config", { file, revision: null }));
    expect((await second.board.operatorView()).components).toEqual(before.components);
    const [one, ...others] = file.components;
    const edited = { ...file, components: [...others, { ...one, description: "Moved" }] };
    const { changes } = await plan(second, edited);
    expect(changes.map(({ act, name }) => `${act} ${name}`)).toEqual(["change Web / Cart", "move Web / Cart"]);
  });
});

describe("what recurs", () => {
  const coming = async ({ board }: Deployment) =>
    (await board.log()).maintenances
      .filter(({ status, cancelledAt }) => status === "scheduled" && cancelledAt === undefined)
      .map(({ id, name, startsAt, endsAt, components }) => ({ id, name, startsAt, endsAt, components }));

  it("comes to the other system with its checklist, and begins there at the same moments under the same ids", async () => {
    const series = {
      name: "Database maintenance",
      rule: "FREQ=WEEKLY;BYDAY=SU",
      start: "2026-11-29T03:00",
      timeZone: "America/St_Johns",
      hours: 1.5,
      body: "Some requests may take longer.",
      reason: "VACUUM",
      components: ["Web / Cart"],
      targets: [{ service: "eu-1/shop/cart", replicas: 1 }, { service: "eu-1/shop/search" }],
      closing: "checks",
    };
    const checklist = [{ id: "backup", phase: "before", text: "Backup taken" }];
    await done(first.cli("POST", "/cli/v1/series", series));
    await done(first.cli("PUT", "/cli/v1/config", { file: { version: 1, checklist } }));
    const yaml = await yamlOf(first);
    expect(yaml).toContain("service: eu-1/shop/cart\n        replicas: 1");
    await done(second.cli("PUT", "/cli/v1/config", { file: parse(yaml) as unknown }));
    expect(await yamlOf(second)).toBe(yaml);
    for (const system of [first, second]) expect((await plan(system, parse(yaml))).changes).toEqual([]);
    const there = await coming(second);
    expect(there.length).toBeGreaterThan(3);
    expect(there).toEqual(await coming(first));
    const [one] = there;
    const tick = { item: "backup", isDone: true };
    await done(second.cli("POST", `/cli/v1/plans/${one?.id}/tick`, tick));
    const old = await second.cli("POST", `/cli/v1/plans/${one?.id}/tick`, { ...tick, item: "rollback" });
    expect(old.status, "it is none of this page's list").toBe(404);
  });

  it("is called off by a file that says nothing more of it, and of a file that has no such section it stays", async () => {
    const before = await coming(first);
    await done(first.cli("PUT", "/cli/v1/config", { file: { version: 1, noticeDays: 6 } }));
    expect(await coming(first)).toEqual(before);
    await done(first.cli("PUT", "/cli/v1/config", { file: { version: 1, series: [] } }));
    expect(await coming(first)).toEqual([]);
  });
});

describe("nothing is kept", () => {
  it("of a file that was planned before somebody else changed the page", async () => {
    const file = parse(await yamlOf(first)) as { page: object };
    const { revision } = await plan(first, file);
    await first.cli("PUT", "/cli/v1/limits", { thresholds: { p95Ms: 450 } });
    const refused = await first.cli("PUT", "/cli/v1/config", { file, revision });
    expect([refused.status, (await refused.json<{ error: { code: string } }>()).error.code]).toEqual([409, "conflict"]);
    expect((await first.board.operatorView([])).page.thresholds).toEqual({ p95Ms: 450 });
  });

  const component = { name: "A", services: ["a/b/c"] };
  const recurs = { name: "A", rule: "FREQ=WEEKLY;BYDAY=SU", start: "2026-11-29T03:00", timeZone: "Etc/UTC", hours: 1 };
  const TEMPLATE = { title: "T", name: "N", status: "investigating", affected: "partial_outage", body: "B" };
  it.each<[string, object, (string | number)[], RegExp]>([
    ["an unknown section", { users: [] }, ["users"], /nothing that a file can say/],
    [
      "an unknown field",
      { components: [{ ...component, secret: 1 }] },
      ["components", 0, "secret"],
      /nothing that a file/,
    ],
    [
      "a service that is none",
      { components: [{ ...component, services: ["x"] }] },
      ["components", 0, "services", 0],
      /must be cluster/,
    ],
    [
      "an address inside",
      { components: [{ ...component, url: "https://169.254.169.254/" }] },
      ["components", 0, "url"],
      /must have a name/,
    ],
    [
      "our own address",
      { components: [{ ...component, url: "https://config-a.test/" }] },
      ["components", 0, "url"],
      /must/,
    ],
    [
      "a rule without its number",
      { components: [{ ...component, rule: "quorum" }] },
      ["components", 0, "quorum"],
      /how many/,
    ],
    [
      "limits in the wrong order",
      { limits: { errorRatioDegraded: 0.6 } },
      ["limits", "errorRatioDegraded"],
      /must not be above/,
    ],
    ["a script for a logo", { page: { logo: "data:text/html,<script>" } }, ["page", "logo"], /picture/],
    [
      "a link that is a script",
      { page: { links: [{ name: "x", url: "javascript:alert(1)" }] } },
      ["page", "links", 0, "url"],
      /https/,
    ],
    ["an accent that nobody can read", { page: { accent: { light: "#0b6" } } }, ["page", "accent"], /nearest/],
    ["another version", { version: 2 }, ["version"], /later/],
    [
      "a template that fills in what is not there",
      { incidentTemplates: [{ ...TEMPLATE, body: "{{tiem}}" }] },
      ["incidentTemplates", 0, "body"],
      /there is no \{\{tiem\}\}/,
    ],
    ["a template twice", { incidentTemplates: [TEMPLATE, TEMPLATE] }, ["incidentTemplates", 1], /twice/],
    ["seven charts", { charts: Array.from({ length: 7 }, () => ({ kind: "p95" })) }, ["charts"], /at most 6/],
    [
      "a series that holds a deployment without saying why",
      { series: [{ ...recurs, targets: [{ service: "a/b/c" }] }] },
      ["series", 0],
      /give a reason/,
    ],
    [
      "a series in no zone",
      { series: [{ ...recurs, timeZone: "Mars/Olympus" }] },
      ["series", 0, "timeZone"],
      /time zone/,
    ],
    ["a series of no length", { series: [{ ...recurs, hours: 0 }] }, ["series", 0, "hours"], /more than 0/],
    ["a series on no day", { series: [{ ...recurs, start: "2026-02-30T03:00" }] }, ["series", 0, "rule"], /date/],
    ["a checklist of nothing", { checklist: [] }, ["checklist"], /must have an item/],
    [
      "a component that is nobody",
      { charts: [{ kind: "p95", component: "Nobody" }] },
      ["charts", 0, "component"],
      /Nobody/,
    ],
  ])("of %s, though the rest is well", async (_name, sections, path, message) => {
    const before = await first.board.configView();
    const file = { version: 1, ignored: ["fresh/*"], ...sections };
    for (const [method, route] of [
      ["POST", "/cli/v1/config/plan"],
      ["PUT", "/cli/v1/config"],
    ] as const) {
      const answer = await first.cli(method, route, { file });
      const { faults } = await answer.json<{ faults: { path: unknown; message: string }[] }>();
      expect([answer.status, faults[0]?.path]).toEqual([400, path]);
      expect(faults[0]?.message).toMatch(message);
    }
    expect((await first.board.configView()).revision).toBe(before.revision);
  });

  it("for whoever does not show the operator's key", async () => {
    for (const [method, path] of [
      ["GET", "/cli/v1/config"],
      ["POST", "/cli/v1/config/plan"],
      ["PUT", "/cli/v1/config"],
    ] as const)
      expect((await first.call(path, method === "GET" ? {} : { method, body: "{}" })).status).toBe(401);
  });
});
