/** Alert rules as forms: what they mean, and what they would have met in the last seven days. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli } from "./agent.ts";

const board = boardOf(bindings);
const CLUSTER = "alerts-1";
let cookie = "";
let component = "";

const post = (path: string, fields: Record<string, string>): Promise<Response> =>
  call(path, {
    method: "POST",
    headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields),
  });
const words = (page: string): string =>
  page
    .replace(/<style>.*?<\/style>|<script.*?<\/script>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");
const read = async (): Promise<string> => words(await (await call("/admin/alerts", { headers: { cookie } })).text());
const rule = (): Record<string, string> => ({
  name: "payments",
  labels: "severity=critical,page\nservice=pay*",
  cluster: "",
  component,
  status: "major_outage",
});

beforeAll(async () => {
  const { token } = await board.createLink();
  cookie = `__Host-observatory=${await board.redeemLink(token)}`;
  await cli("PUT", "/cli/v1/components", {
    components: [{ name: "Payments", group: "Alerts", services: [`${CLUSTER}/shop/pay`] }],
  });
  component = (await board.operatorView([])).components.find(({ group }) => group === "Alerts")?.id ?? "";
  const made = await cli("POST", "/cli/v1/ingest/tokens", { cluster: CLUSTER });
  const { token: secret } = await made.json<{ token: string }>();
  const alert = (service: string, severity: string, i: number) => ({
    status: "firing",
    labels: { alertname: `Alarm${i}`, service, severity, note: "a, b" },
    annotations: { summary: `${service} is slow` },
    startsAt: new Date(Date.now() - 60_000 - i).toISOString(),
    endsAt: "0001-01-01T00:00:00Z",
    generatorURL: "",
    fingerprint: i.toString(16).padStart(16, "0"),
  });
  const alerts = [
    alert("payments", "critical", 1),
    alert("payouts", "page", 2),
    alert("pay", "warning", 3),
    alert("cart", "critical", 4),
  ];
  const notice = {
    version: "4",
    groupKey: "{}:{}",
    truncatedAlerts: 0,
    status: "firing",
    receiver: "edge",
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "",
    alerts,
  };
  const taken = await call("/ingest/alertmanager", {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify(notice),
  });
  expect([taken.status, await taken.text()]).toEqual([200, expect.anything()]);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
});

describe("an alert rule", () => {
  it("says before it is added what it would have met, and changes nothing by that", async () => {
    const { name: _, component: _of, ...typed } = rule();
    const answer = await post("/admin/alerts/preview", typed);
    const page = words(await answer.text());
    expect(answer.status).toBe(200);
    expect(page).toMatch(/It would have met 2 of 4 alarms .*payments is slow/);
    expect(page).not.toContain("cart is slow");
    const elsewhere = await post("/admin/alerts/preview", { ...typed, cluster: "alerts-2" });
    expect(words(await elsewhere.text())).toContain("It would have met 0 of 4 alarms");
    expect(await read()).toContain("No rule yet");
  });

  it("is added, makes a draft of what fires, and is removed", async () => {
    expect((await post("/admin/alerts", rule())).status).toBe(303);
    expect(await read()).toMatch(
      /payments severity=critical,page service=pay\* Alerts \/ Payments: Major outage 2 of 4 alarms Remove/,
    );
    expect((await board.drafts()).filter(({ rule: by }) => by === "payments")).toHaveLength(1);
    const again = await post("/admin/alerts", rule());
    expect([again.status, words(await again.text())]).toEqual([409, expect.stringContaining("a rule of this name")]);
    expect((await post("/admin/alerts/remove", { name: "payments" })).status).toBe(303);
    expect((await post("/admin/alerts/remove", { name: "payments" })).status).toBe(404);
    expect(await read()).toContain("No rule yet");
  });

  it.each([
    ["without a label, which every alarm would meet", { labels: "" }, 400, "Give at least one label"],
    ["with a line that is no label", { labels: "severity" }, 400, "Give at least one label"],
    ["with a name that no label has", { labels: "sev-erity=1" }, 400, "Give at least one label"],
    ["without a name", { name: " " }, 400, "Give it a name."],
    ["of nothing", { component: "" }, 400, "Choose what it is about."],
    ["of what is gone", { component: "nothing00000" }, 409, "There is no such component any more."],
    ["that means nothing", { status: "operational" }, 400, "Choose what it means."],
  ])("%s is refused beside its field, with what was typed", async (_name, fields, status, said) => {
    const answer = await post("/admin/alerts", { ...rule(), ...fields });
    const page = await answer.text();
    expect([answer.status, words(page)]).toEqual([status, expect.stringContaining(said)]);
    expect(page).toContain('class="fault"');
    expect((await board.draftRules(null, "test")).ok && (await read())).toContain("No rule yet");
  });
});
