/** What the pictures in `golden/` are taken of: every state of the page, and every other kind of public document. */
import { createHash } from "node:crypto";
import type { DayTally, PageComponent, PageSnapshot } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { brandStyle } from "../../web/view/brand.ts";
import type { SignInModel, StepUpModel } from "../../web/view/admin/doors-model.ts";
import { renderSignIn } from "../../web/view/admin/sign-in.ts";
import { renderStepUp } from "../../web/view/admin/step-up.ts";
import { renderChoose } from "../../web/view/choose.ts";
import { renderComponent } from "../../web/view/component.ts";
import { renderEmbedFrame } from "../../web/view/embed.ts";
import { renderIncident } from "../../web/view/incident.ts";
import { renderMaintenancePage } from "../../web/view/maintenance.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderPast } from "../../web/view/past.ts";
import {
  ADMIN_POLICY,
  COMPONENT_POLICY,
  FRAME_POLICY,
  PAGES_POLICY,
  PAGE_POLICY,
  withStyle,
} from "../../web/view/policy.ts";
import { renderNothing } from "../../web/view/problem.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { announced, incident, resolved, update } from "./announcements.ts";
import { CHARTS } from "./component-charts.ts";
import type { Served } from "./page-server.ts";
import { component, dayMetrics, days, everyState, NOW, said, snapshot } from "./snapshots.ts";

const heardAt = NOW - 8 * SECOND;
const BOUNDS = [0, 10, 25, 50, 100, 250, 500];

/** What the mesh says of the latency: between two bounds of Istio's buckets. */
function measured(index: number): Partial<PageComponent> {
  const { p95 } = component(index);
  if (p95 === null) return {};
  const above = BOUNDS.findIndex((bound) => bound > p95.estimate);
  return { p95: { ...p95, lo: BOUNDS[above - 1] ?? 250, hi: BOUNDS[above] ?? 500 } };
}

/** Its history, with what is wrong now at its end. */
function troubled(index: number, status: ComponentStatus): DayTally[] {
  const history = days(90, index + 3, 0.08);
  return [...history.slice(0, -1), { day: "2026-11-23", ms: { [status]: NOW - since, operational: 14 * HOUR } }];
}

const since = NOW - 14 * MINUTE;

/** A page of the usual size in three groups, on which nothing happened but what `changed` says. */
function usual(
  changed: Readonly<Record<number, Partial<PageComponent>>> = {},
  fields: Partial<PageSnapshot> = {},
): PageSnapshot {
  const components = [0, 1, 2, 3, 8, 9, 10, 14].map((i) => component(i, { ...measured(i), ...changed[i] }));
  return snapshot(components, { incidents: [resolved(6)], metrics: dayMetrics(), ...fields });
}

function is(status: ComponentStatus, why: string | null): Partial<PageComponent> {
  return { outlook: said(status, since, why, heardAt), days: troubled(status.length, status) };
}

/** Names as nobody should give them, and somebody will. */
function longNames(): PageSnapshot {
  const word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
  const name = "Card payments, refunds and chargebacks of everybody who bought before the move to the new ledger";
  const group = "Everything that has to do with money and that somebody may have to be called at night for";
  const components = [
    component(0, { name, group, ...is("partial_outage", `${name} depends on ${word}, which fails.`) }),
    component(1, { name: word, group: `${group} / ${word}` }),
    component(2, { name: "Search", group: "Shop" }),
  ];
  const open = incident({ name: `${name} fail`, components: ["component000", "component001"] });
  return {
    ...snapshot(components, { incidents: [open, resolved(2, { name: `${word} was slow` })], metrics: dayMetrics() }),
    page: { ...usual().page, name: `${word} and everybody else` },
  };
}

const ARABIC = ["الدفع", "المدفوعات", "الكتالوج", "البحث", "الطلبات", "دفتر الأستاذ", "المخزون", "تسجيل الدخول"];

/** A page whose operator writes Arabic. */
function arabic(): PageSnapshot {
  const changed = { 1: is("partial_outage", "About 3 of 10 requests fail."), 9: is("degraded_performance", null) };
  const page = usual(changed, {
    incidents: [
      incident({
        name: "بعض المدفوعات تفشل",
        updates: [
          update(
            "update000002",
            "identified",
            "نحو **3 من 10** عمليات دفع بالبطاقة تفشل. نحن نستبدل الشهادة المنتهية.",
            NOW - 4 * MINUTE,
          ),
          update("update000001", "investigating", "بعض عمليات الدفع بالبطاقة تفشل منذ 13:48.", since),
        ],
      }),
    ],
    maintenances: [announced({ name: "ترقية قاعدة البيانات", updates: [] })],
  });
  const components = page.components.map((one, i) => ({
    ...one,
    name: ARABIC[i] ?? "",
    group: i < 4 ? "المتجر" : "البيانات",
  }));
  return { ...page, page: { ...page.page, name: "حالة أكمي" }, components };
}

/** A hundred components in ten groups, and trouble in one of them. */
function hundred(): PageSnapshot {
  const groups = ["Shop", "Data", "Platform", "Partners", "Stores", "Mail", "Search", "Billing", "Support", "Internal"];
  const components = Array.from({ length: 100 }, (_, i) => {
    const trouble = i === 21 ? is("partial_outage", "About 3 of 10 requests fail.") : {};
    return component(i, { group: groups[Math.floor(i / 10)] ?? null, ...measured(i), ...trouble });
  });
  return snapshot(components, { incidents: [resolved(6)], metrics: dayMetrics() });
}

const silent: Partial<PageComponent> = {
  outlook: said("operational", NOW - 3 * DAY, null, NOW - 12 * MINUTE),
  heardAt: NOW - 12 * MINUTE,
};

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#8a1a5b" d="M12 1 23 22H1z"/></svg>';

/** The same of every component. */
function each(fields: (index: number) => Partial<PageComponent>): Readonly<Record<number, Partial<PageComponent>>> {
  return Object.fromEntries(Array.from({ length: 15 }, (_, i) => [i, fields(i)]));
}

/** The page's states. */
const STATES = {
  well: () => usual(),
  degraded: () =>
    usual({
      3: {
        ...is("degraded_performance", "Answers are slower than they should be."),
        p95: { estimate: 1_840, lo: 1_000, hi: 2_500 },
      },
    }),
  partial: () =>
    usual(
      { 1: { ...is("partial_outage", "About 3 of 10 requests fail."), errorRatio: 0.304 } },
      { incidents: [incident(), resolved(6)] },
    ),
  major: () =>
    usual(
      {
        0: { ...is("major_outage", "It is not running."), p95: null, errorRatio: null, requestsPerSecond: null },
        1: { ...is("major_outage", "It is not running."), p95: null, errorRatio: null, requestsPerSecond: null },
        8: { ...is("partial_outage", "About 6 of 10 requests fail."), errorRatio: 0.61 },
      },
      {
        incidents: [
          incident({
            name: "Nobody can buy anything",
            impact: "critical",
            components: ["component000", "component001", "component008"],
          }),
          resolved(6),
        ],
      },
    ),
  maintenance: () =>
    usual(
      { 8: is("under_maintenance", "Database upgrade") },
      {
        maintenances: [
          announced({
            id: "announced002",
            status: "in_progress",
            startsAt: since,
            endsAt: NOW + 2 * HOUR,
            confirmed: true,
            components: ["component008"],
          }),
          announced({ name: "Move of the warehouse", components: ["component010"] }),
        ],
      },
    ),
  unknown: () => usual(each(() => silent)),
  copy: () => ({ ...usual(each(() => silent)), generatedAt: NOW - 12 * MINUTE }),
  branded: () =>
    usual(
      {},
      {
        brand: {
          logo: `data:image/svg+xml;base64,${btoa(LOGO)}`,
          accent: { light: "#8a1a5b", dark: "#f0a3d0" },
          links: [{ name: "acme.example", url: "https://acme.example" }],
        },
      },
    ),
  empty: () => snapshot([], { incidents: [] }),
  hundred,
  long: longNames,
  arabic,
  every: () => ({ ...everyState(), incidents: [incident(), resolved(6)], metrics: dayMetrics() }),
  young: () =>
    usual(
      each((i) => ({ days: days(2, i, 0) })),
      {
        incidents: [],
        metrics: [],
        page: { id: "page00000001", name: "Acme status", timeZone: "Etc/UTC", createdAt: NOW - DAY },
      },
    ),
} as const satisfies Record<string, () => PageSnapshot>;

const log = {
  version: 7,
  incidents: [incident(), resolved(3), resolved(40)],
  maintenances: [announced(), announced({ id: "announced003", name: "Switch of the network", cancelledAt: NOW })],
};

const DOOR: SignInModel = {
  pageName: "Acme status",
  token: null,
  problem: "This link was used already or is too old. Make a new one.",
  passkeys: true,
  passkeysAt: null,
  access: true,
};
const PROOF: StepUpModel = {
  pageName: "Acme status",
  asked: { method: "POST", action: "/admin/maintenance", fields: [["name", "Database upgrade"]] },
  by: "Ana",
  isPerson: true,
  passkeys: 1,
  passkeysAt: null,
  isConfirmed: false,
  problem: null,
};

/** The document behind `/<name>`, for the server of the pictures; null if there is none. */
export function goldenPage(path: string, origin: string): Served | null {
  const name = path.slice(1);
  const state = (STATES as Readonly<Record<string, () => PageSnapshot>>)[name];
  const locale = localeOf(name === "arabic" ? "ar" : "en", "Etc/UTC");
  const view = { snapshot: STATES.partial(), log, now: NOW, origin, isCopy: false, locale };
  if (state !== undefined) {
    const shown = state();
    const body = renderPage({ ...view, snapshot: shown, isCopy: name === "copy" });
    const hash = createHash("sha256").update(brandStyle(shown.brand ?? {}));
    return { policy: withStyle(PAGE_POLICY, `sha256-${hash.digest("base64")}`), body };
  }
  const others: Readonly<Record<string, () => readonly [string, string | null]>> = {
    component: () => [
      COMPONENT_POLICY,
      renderComponent({ ...view, component: "component001", range: "day", charts: CHARTS }),
    ],
    incident: () => [PAGES_POLICY, renderIncident(view, "incident0001")],
    planned: () => [PAGES_POLICY, renderMaintenancePage(view, "announced001")],
    history: () => [PAGES_POLICY, renderPast(view, null)],
    choose: () => [PAGES_POLICY, renderChoose(view, ["component001"])],
    nothing: () => [PAGES_POLICY, renderNothing(view.locale)],
    embed: () => [FRAME_POLICY, renderEmbedFrame(view)],
    door: () => [ADMIN_POLICY, renderSignIn(DOOR)],
    proof: () => [ADMIN_POLICY, renderStepUp(PROOF)],
  };
  const [policy, body = null] = others[name]?.() ?? [];
  return policy === undefined || body === null ? null : { policy, body };
}
