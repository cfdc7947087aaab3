/** What the pictures in `golden-admin/` are taken of. */
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { renderComponents } from "../../web/view/admin/components.ts";
import type { ListedComponent } from "../../web/view/admin/components-model.ts";
import type { PeopleModel } from "../../web/view/admin/doors-model.ts";
import { renderAdminHome } from "../../web/view/admin/home.ts";
import { renderIncidentNew } from "../../web/view/admin/incident-new.ts";
import { renderIncidentPage } from "../../web/view/admin/incident.ts";
import type { AffectedChoice, IncidentFormModel, IncidentPageModel } from "../../web/view/admin/incident-model.ts";
import { renderMaintenanceNew } from "../../web/view/admin/maintenance-new.ts";
import type { AdminFrame } from "../../web/view/admin/model.ts";
import { renderPeople } from "../../web/view/admin/people.ts";
import { renderPlanPage } from "../../web/view/admin/plan-page.ts";
import { ADMIN_POLICY } from "../../web/view/policy.ts";
import { EMPTY_HOME, FAULTY_MAINTENANCE, FRAME, HOME } from "./admin-models.ts";
import { planPage } from "./admin-plan-models.ts";
import type { Served } from "./page-server.ts";
import { NOW } from "./snapshots.ts";

const frame: AdminFrame = { ...FRAME, inbox: 3 };

function choice(name: string, group: string, fields: Partial<AffectedChoice> = {}): AffectedChoice {
  return { id: name.toLowerCase(), name, group, now: "operational", said: null, chosen: null, ...fields };
}

const FORM: IncidentFormModel = {
  values: { key: "a-number-of-its-own", status: "investigating" },
  faults: [],
  components: [
    choice("Payments", "Shop", { now: "partial_outage", chosen: "partial_outage" }),
    choice("Search", "Shop", { now: "degraded_performance" }),
    choice("Checkout", "Shop"),
    choice("Ledger", "Data"),
  ],
  impactSoFar: "none",
  added: [],
  preview: null,
};

const said = { by: "Ana", updatedAt: NOW - 14 * MINUTE, affected: [] };
const INCIDENT: IncidentPageModel = {
  id: "incident0001",
  name: "Some payments fail",
  status: "identified",
  impact: "major",
  startedAt: NOW - 14 * MINUTE,
  resolvedAt: null,
  saidAt: NOW - 4 * MINUTE,
  components: ["Payments"],
  reminder: { at: NOW + 26 * MINUTE, minutes: 30, isPublic: true, by: "Ana" },
  impactReason: null,
  isByHand: false,
  revision: NOW - 4 * MINUTE,
  updates: [
    {
      ...said,
      id: "update000002",
      status: "identified",
      body: "About **3 of 10** payments by card fail: a certificate has expired. We are replacing it.",
      displayAt: NOW - 4 * MINUTE,
      createdAt: NOW - 4 * MINUTE,
      updatedAt: NOW - 4 * MINUTE,
    },
    {
      ...said,
      id: "update000001",
      status: "investigating",
      body: "Some payments by card have failed since 13:48 UTC.",
      displayAt: NOW - 14 * MINUTE,
      createdAt: NOW - 14 * MINUTE,
      affected: [{ name: "Payments", from: "operational", to: "partial_outage" }],
    },
  ],
  form: {
    ...FORM,
    values: { status: "identified" },
    components: [
      choice("Payments", "Shop", { now: "partial_outage", said: "partial_outage" }),
      ...FORM.components.slice(1),
    ],
    impactSoFar: "major",
  },
  conflict: null,
  unarchivedSince: null,
  deletableUntil: NOW + HOUR,
  others: [{ id: "incident0002", name: "Search is slow" }],
  postmortem: null,
};

const TEMPLATES = ["Complete outage", "Some requests fail", "Slow answers", "Rolling back"].map((title) => ({
  id: title.toLowerCase().replaceAll(" ", "-"),
  title,
}));

function listed(name: string, fields: Partial<ListedComponent> = {}): ListedComponent {
  return { id: name, name, group: "Shop", status: "operational", hidden: false, services: 1, ...fields };
}
const GROUPS = [
  {
    name: "Shop",
    own: [listed("Checkout"), listed("Payments", { status: "partial_outage", services: 2 })],
    groups: [{ name: "Shop / Europe", own: [listed("Catalogue", { hidden: true, services: 0 })], groups: [] }],
  },
  { name: null, own: [listed("Ledger", { status: "under_maintenance" })], groups: [] },
];

const PEOPLE: PeopleModel = {
  people: [
    { id: "ana", name: "Ana", role: "owner", passkeys: 2, isKnownToAccess: true, isSelf: true },
    {
      id: "bo",
      name: "Bo Søndergaard-Montgomery",
      role: "responder",
      passkeys: 0,
      isKnownToAccess: false,
      isSelf: false,
    },
  ],
  access: true,
  mayChange: true,
  made: { name: "Bo", url: `https://status.example/admin/sign-in?token=${"a1B2".repeat(10)}`, expiresAt: NOW + DAY },
  values: { name: "", role: "operator" },
  faults: [{ field: "name", message: "Give a name; the audit says it." }],
};

const PAGES: Readonly<Record<string, () => string>> = {
  home: () =>
    renderAdminHome(
      { ...HOME, incidents: [INCIDENT], uncovered: [{ name: "Search", status: "degraded_performance" }] },
      {
        ...frame,
        dues: [{ id: "incident0001", name: "Some payments fail", at: NOW - 2 * MINUTE, state: "due" }],
        overdue: [{ id: "plan00000001", name: "Disk replacement", reason: "its planned end has passed" }],
      },
    ),
  menu: () => renderAdminHome(EMPTY_HOME, frame),
  report: () => renderIncidentNew({ form: FORM, templates: TEMPLATES, draft: null }, frame),
  incident: () => renderIncidentPage(INCIDENT, frame),
  plan: () => renderPlanPage(planPage(), frame),
  start: () => renderMaintenanceNew(FAULTY_MAINTENANCE, frame),
  components: () => renderComponents({ groups: GROUPS, moved: null, refused: null }, frame),
  people: () => renderPeople(PEOPLE, frame),
};

/** The document behind `/<name>`, for the server of the pictures; null if there is none. */
export function adminPage(path: string): Served | null {
  const body = PAGES[path.slice(1)]?.();
  return body === undefined ? null : { policy: ADMIN_POLICY, body };
}
