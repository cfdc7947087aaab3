/** What operators make of components: what chooses services, who sees them, where they stand, and who was first. */
import { evictDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { ROUTES } from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { told, tell } from "../support/facts.ts";
import { bindings, call, cli } from "./agent.ts";

const ORIGIN = "https://status.test";
const board = boardOf(bindings);
let cookie = "";

beforeAll(async () => {
  const { token } = await board.createLink();
  cookie = `__Host-observatory=${await board.redeemLink(token)}`;
});

const post = (path: string, fields: Record<string, string>): Promise<Response> =>
  call(path, {
    method: "POST",
    headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields),
  });
const get = async (path: string): Promise<string> => (await call(path, { headers: { cookie } })).text();

const FORM = {
  group: "",
  services: "",
  rule: "all",
  visibility: "public",
  "shows.uptime": "yes",
  "shows.numbers": "yes",
};

/** Makes one by the form, and returns its id. */
async function make(name: string, fields: Record<string, string> = {}): Promise<string> {
  const answer = await post("/admin/components/new", { ...FORM, name, ...fields });
  expect([answer.status, answer.status === 303 ? "" : await answer.text()]).toEqual([303, ""]);
  return answer.headers.get("location")?.split("/").at(-1) ?? "";
}

const held = async (id: string) => (await board.operatorView()).components.find((one) => one.id === id);
const hear = (cluster: string, ...services: string[]) => {
  const now = Date.now();
  return board.hear({
    ...tell(
      now,
      services.map((service) => told("operational", service)),
      cluster,
    ),
    expiresAt: now + 600_000,
  });
};

describe("a component", () => {
  it("is made without services, and has those that its selector matches as soon as they are reported", async () => {
    const empty = await make("Nothing yet");
    expect((await held(empty))?.services).toEqual([]);
    const id = await make("All of pay", { services: "pay/*\nsel-1/shop/checkout" });
    expect(await held(id)).toMatchObject({ selector: ["pay/*", "sel-1/shop/checkout"] });
    await hear("sel-1", "pay/a", "shop/checkout", "other/x");
    expect((await held(id))?.services).toEqual(["sel-1/shop/checkout", "sel-1/pay/a"]);
    await hear("sel-1", "pay/a", "pay/b", "shop/checkout");
    await evictDurableObject(board);
    expect((await held(id))?.services).toEqual(["sel-1/shop/checkout", "sel-1/pay/a", "sel-1/pay/b"]);
    // Deleted, it stays for a day, unknown: the component is not green by its absence.
    await hear("sel-1", "pay/a", "shop/checkout");
    expect((await held(id))?.services).toContain("sel-1/pay/b");
    const shown = (await board.snapshot()).components.find((one) => one.id === id);
    expect(shown?.outlook[0]?.status).toBe("unknown");
    // Who saves it has seen what it stands for, and what is gone is let go.
    const page = await get(`/admin/components/${id}`);
    const revision = /name="revision" value="(\w+)"/.exec(page)?.[1] ?? "";
    await post(`/admin/components/${id}`, {
      ...FORM,
      name: "All of pay",
      services: "pay/*\nsel-1/shop/checkout",
      revision,
    });
    expect((await held(id))?.services).not.toContain("sel-1/pay/b");
  });

  it("is previewed as it would be now, by a question that changes nothing", async () => {
    await hear("pre-1", "web/front", "web/api");
    const before = await board.operatorView();
    const fields = new URLSearchParams({ ...FORM, name: "Web", services: "pre-1/web/*\nnone/*" });
    const page = await get(`/admin/components/new/preview?${String(fields)}`);
    expect(page).toMatch(/With this it would be <b>Operational<\/b> now/);
    expect(page).toMatch(/It stands for 2 services:.*pre-1\/web\/api.*pre-1\/web\/front/s);
    expect(page).toContain("<code>none/*</code> matches nothing yet");
    expect(page).toContain('value="Web"');
    expect((await board.operatorView()).components).toEqual(before.components);
  });

  it("is not lost where two change it at once: the second sees both versions, and decides", async () => {
    const id = await make("Contested", { description: "first" });
    const revision = /name="revision" value="(\w+)"/.exec(await get(`/admin/components/${id}`))?.[1] ?? "";
    const save = (description: string, seen: string) =>
      post(`/admin/components/${id}`, { ...FORM, name: "Contested", description, revision: seen });
    expect((await save("mine", revision)).status).toBe(303);
    const refused = await save("yours", revision);
    expect(refused.status).toBe(409);
    const page = await refused.text();
    expect(page).toContain("Somebody changed this component meanwhile");
    expect(page).toMatch(/value="yours".*Now stands: <code>mine<\/code>/s);
    expect((await held(id))?.description).toBe("mine");
    expect((await save("yours", /name="revision" value="(\w+)"/.exec(page)?.[1] ?? "")).status).toBe(303);
    expect((await held(id))?.description).toBe("yours");
    // Without a change of anybody else the same form may be sent again.
    const again = /name="revision" value="(\w+)"/.exec(await get(`/admin/components/${id}`))?.[1] ?? "";
    expect((await save("yours", again)).status).toBe(303);
  });
});

describe("an address to be asked from outside", () => {
  const id = (): Promise<string> => make(`Door ${crypto.randomUUID()}`);
  const ENTRANCES: [string, (url: string) => Promise<Response>][] = [
    ["the form that makes one", (url) => post("/admin/components/new", { ...FORM, name: crypto.randomUUID(), url })],
    [
      "the form that changes one",
      async (url) => post(`/admin/components/${await id()}`, { ...FORM, name: "Door", url }),
    ],
    [
      "a preview",
      (url) =>
        call(`/admin/components/new/preview?${String(new URLSearchParams({ ...FORM, name: "x", url }))}`, {
          headers: { cookie },
        }),
    ],
    ["the command line", (url) => cli("PUT", "/cli/v1/components", { components: [{ name: "x", services: [], url }] })],
  ];
  // reference/security.md §8, 38 to 42, but for this machine's own, which tests may ask: test/worker/probe.test.ts has all.
  const REFUSED = [
    "https://169.254.169.254/latest/meta-data",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
    "https://168.63.129.16/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://localhost./",
    "https://10.0.0.1.nip.io/",
    "https://status.test/",
    "https://observatory.acme.workers.dev/",
    "http://shop.acme.com/",
    "https://shop.acme.com:8443/",
    "https://user:pass@shop.acme.com/",
    "file:///etc/passwd",
    "gopher://shop.acme.com/",
    "javascript:alert(1)",
  ];
  it.each(ENTRANCES)("is refused by %s where it is not plainly a public site", async (_name, ask) => {
    const before = (await board.operatorView([])).components.filter(({ url }) => url !== undefined).length;
    for (const url of REFUSED) {
      const answer = await ask(url);
      expect([url, answer.status]).toEqual([url, 400]);
      await answer.body?.cancel();
    }
    expect((await board.operatorView([])).components.filter(({ url }) => url !== undefined)).toHaveLength(before);
  });
});

describe("the order of the page", () => {
  const names = async (group: string) => {
    const { components } = await board.snapshot();
    return components.filter((one) => one.group?.startsWith(group)).map((one) => `${one.group}/${one.name}`);
  };
  it("is moved by arrows, which say where it is now and keep the focus", async () => {
    const [a, , c] = [
      await make("a", { group: "Ord" }),
      await make("b", { group: "Ord" }),
      await make("c", { group: "Ord" }),
    ];
    const moved = await post("/admin/components/order", { component: c, by: "up" });
    expect(await names("Ord")).toEqual(["Ord/a", "Ord/c", "Ord/b"]);
    const page = await get(moved.headers.get("location") ?? "");
    const [last] = (await board.audit()).recent;
    const changes = [{ field: "place", before: "3", after: "2" }];
    expect(last).toMatchObject({ act: "component.move", subject: c, changes });
    expect(page).toContain("c is now 2 of 3 in Ord.");
    expect(page.match(/<button[^>]* autofocus>/g)).toEqual([
      expect.stringContaining('aria-label="Move c up" autofocus'),
    ]);
    await post("/admin/components/order", { component: a, to: "Ord / Inner", before: "" });
    expect(await names("Ord")).toEqual(["Ord/c", "Ord/b", "Ord / Inner/a"]);
    await evictDurableObject(board);
    expect(await names("Ord")).toEqual(["Ord/c", "Ord/b", "Ord / Inner/a"]);
  });

  it("has groups that are renamed with what is in them, and never onto another's name", async () => {
    await make("x", { group: "Old" });
    await make("y", { group: "Old / Deep" });
    await make("x", { group: "Taken" });
    expect((await post("/admin/components/rename", { from: "Old", to: "Fresh" })).status).toBe(303);
    expect(await names("Fresh")).toEqual(["Fresh/x", "Fresh / Deep/y"]);
    const refused = await post("/admin/components/rename", { from: "Fresh", to: "Taken" });
    expect([refused.status, (await refused.text()).includes("Rename one of them first")]).toEqual([409, true]);
    expect(await names("Fresh")).toHaveLength(2);
  });

  it("refuses what is no move", async () => {
    for (const fields of [{}, { component: "gone", by: "sideways" }, { by: "up" }])
      expect((await post("/admin/components/order", fields)).status).toBe(400);
  });
});

describe("a hidden component", () => {
  it("stands in no public byte, on any route, by any name", async () => {
    await hear("hid-1", "shop/zanzibar", "shop/open");
    const shownId = await make("Open one", { group: "Seen", services: "hid-1/shop/open" });
    const id = await make("Zanzibar", {
      group: "Zanzibar group",
      description: "Zanzibar words",
      services: "hid-1/shop/zanzibar",
      visibility: "hidden",
      "slo.target": "99.9",
      "slo.isPublic": "yes",
    });
    await cli("PUT", "/cli/v1/charts", { charts: [{ kind: "p95", component: id, name: "Zanzibar chart" }] });
    await cli("POST", "/cli/v1/incidents", {
      name: "Zanzibar is away",
      body: "Zanzibar body",
      components: [{ component: id, status: "major_outage" }],
    });
    expect(await get(`/admin/components/${id}`)).toContain("Hidden: known to operators only.");
    const paths = ROUTES.filter(
      ({ method, policy }) => method === "GET" && (policy === "public" || policy === "anyone"),
    )
      .map(({ path }) => path)
      .filter((path) => !path.startsWith("/admin"));
    expect(paths.length).toBeGreaterThan(20);
    const site = `https://${crypto.randomUUID()}.test`;
    for (const path of paths)
      for (const named of path.includes(":") ? [id, shownId, `${shownId},${id}`] : [""]) {
        const answer = await call(site + path.replaceAll(/:\w+(\{[^}]*\})?/g, named), {
          headers: path === "/live" ? { upgrade: "websocket" } : { accept: "text/html" },
        });
        const text = answer.webSocket === null ? await answer.text() : await firstFrame(answer.webSocket);
        expect([path, /zanzibar/i.exec(text)?.[0]]).toEqual([path, undefined]);
        if (named === "" || named === shownId) expect([path, text.includes(id)]).toEqual([path, false]);
      }
    expect(await (await call(`${site}/api/v2/components.json`)).text()).toContain("Open one");
    await cli("PUT", "/cli/v1/charts", { charts: null });
    await post(`/admin/components/${id}`, { ...FORM, name: "Zanzibar", services: "hid-1/shop/zanzibar" });
    const again = `https://${crypto.randomUUID()}.test`;
    expect(await (await call(`${again}/api/v2/components.json`)).text()).toContain("Zanzibar");
  });
});

it("a hidden component is in no text that is proposed for visitors", async () => {
  const shownId = await make("Harbour", { group: "Proposed" });
  const id = await make("Zanzibar quay", { group: "Proposed", visibility: "hidden" });
  const components = [
    { component: shownId, status: "partial_outage" },
    { component: id, status: "major_outage" },
  ];
  const opened = await cli("POST", "/cli/v1/incidents", { name: "Slow", body: "We look.", components });
  const { incident } = await opened.json<{ incident: { id: string } }>();
  const page = await get(`/admin/incidents/${incident.id}?propose=resolved`);
  const [, body = ""] = /<textarea id="body"[^>]*>([^<]*)/.exec(page) ?? [];
  expect(body).toContain("Harbour works again.");
  expect(body).not.toContain("Zanzibar");
});

async function firstFrame(socket: WebSocket): Promise<string> {
  socket.accept();
  const frame = await new Promise<string>((resolve) =>
    socket.addEventListener("message", ({ data }) => resolve(String(data)), { once: true }),
  );
  socket.close(1000);
  return frame;
}

describe("services that wait", () => {
  const many = (path: string, service: readonly string[], fields: Record<string, string>): Promise<Response> =>
    call(path, {
      method: "POST",
      headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams([...Object.entries(fields), ...service.map((one) => ["service", one])]),
    });
  const page = () => get("/admin/services/inbox");
  const listed = async () => [...(await page()).matchAll(/name="service" value="(in-[^"]+)"/g)].map(([, ref]) => ref);

  it("are published several at once: each alone, together, or with what is there", async () => {
    await hear("in-1", "new/a", "new/b", "new/c", "new/d", "sys/x", "sys/y");
    await hear("in-2", "new/a");
    expect(await listed()).toHaveLength(7);
    expect(await get("/admin")).toMatch(/\d+ new services wait/);
    expect(
      (await many("/admin/services/publish", ["in-1/new/a", "in-2/new/a", "in-1/new/b"], { as: "each", group: "In" }))
        .status,
    ).toBe(303);
    const { components } = await board.operatorView();
    const of = (name: string) => components.find((one) => one.group === "In" && one.name === name);
    expect([of("A")?.services, of("B")?.services]).toEqual([["in-1/new/a", "in-2/new/a"], ["in-1/new/b"]]);
    expect(
      (await many("/admin/services/publish", ["in-1/new/c"], { as: "join", component: of("B")?.id ?? "" })).status,
    ).toBe(303);
    expect((await held(of("B")?.id ?? ""))?.services).toEqual(["in-1/new/b", "in-1/new/c"]);
    expect(
      (await many("/admin/services/publish", ["in-1/new/d"], { as: "one", name: "Whole", group: "" })).status,
    ).toBe(303);
    expect(await listed()).toEqual(["in-1/sys/x", "in-1/sys/y"]);
  });

  it("are ignored, by name or with all of their namespace, until that is taken back", async () => {
    await many("/admin/services/ignore", ["in-1/sys/x"], {});
    expect(await listed()).toEqual(["in-1/sys/y"]);
    await many("/admin/services/ignore", [], { pattern: "in-1/sys/*" });
    await hear("in-1", "new/a", "sys/x", "sys/y", "sys/later");
    expect(await listed()).toEqual([]);
    await evictDurableObject(board);
    expect(await listed()).toEqual([]);
    for (const ignored of ["in-1/sys/*", "in-1/sys/x"]) await many("/admin/services/heed", [], { ignored });
    expect(await listed()).toEqual(["in-1/sys/later", "in-1/sys/x", "in-1/sys/y"]);
  });

  it("keep what was chosen where a form is refused, and say why", async () => {
    const none = await many("/admin/services/publish", [], { as: "each" });
    expect([none.status, (await none.text()).includes("Choose a service.")]).toEqual([400, true]);
    const refused = await many("/admin/services/publish", ["in-1/sys/x"], { as: "one", name: "Whole", group: "" });
    const text = await refused.text();
    expect([refused.status, /id="fault-name">.*component of such a name/.test(text)]).toEqual([409, true]);
    expect(text).toMatch(/value="in-1\/sys\/x" checked/);
    expect(text).toMatch(/value="one" checked/);
    expect((await many("/admin/services/publish", ["in-1/sys/x"], { as: "one", name: "", group: "" })).status).toBe(
      400,
    );
    expect(await listed()).toHaveLength(3);
  });
});
