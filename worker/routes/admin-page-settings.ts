/** The page's own settings: what `npm run -s page` and `charts` set, as forms, and the page as code to take away. */
import * as v from "valibot";
import { renderPageSettings } from "../../web/view/admin/page-settings.ts";
import type { PageSettingsModel } from "../../web/view/admin/page-settings-model.ts";
import { CHART_ROWS, COLOUR_NAMES, LINK_ROWS } from "../../web/view/admin/page-settings-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import type { Brand, BrandWish } from "../core/brand.ts";
import { brandFrom, brandRevision, brandSamples } from "../core/brand.ts";
import { DEFAULT_METRICS } from "../core/day.ts";
import { LOGO_MAX, svgUrl } from "../core/logo.ts";
import { inPageOrder } from "../core/order.ts";
import { boardOf } from "../objects/env.ts";
import { frameOf } from "./admin-view.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { ChartsSchema } from "./charts-cli.ts";
import { faultsOf } from "./component-request.ts";
import { configYaml } from "./config-file.ts";
import { PageRequestSchema } from "./page-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** A logo whose every letter is escaped twice, and the rest. */
const BODY_MAX = 12 * LOGO_MAX;

interface Shown {
  readonly values: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  readonly status: 200 | 400 | 409;
  /** What would stand; null where it cannot be told. */
  readonly brand: Brand | null;
}

async function settingsPage(c: AppContext, shown: Shown | null, chartFault: string | null = null): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const { brand: held = {}, metrics } = view.page;
  const brand = shown === null ? held : shown.brand;
  const model: PageSettingsModel = {
    deploymentName: c.env.PAGE_NAME,
    deploymentZone: c.env.PAGE_TIME_ZONE,
    // Who was overtaken is shown what stands by the fault, and decides.
    revision: shown?.status === 200 ? (shown.values["revision"] ?? "") : brandRevision(held),
    values: shown?.values ?? valuesOf(held),
    faults: shown?.faults ?? [],
    samples: brand === null ? null : brandSamples(brand),
    logo: brand?.logo ?? null,
    charts: metrics ?? DEFAULT_METRICS,
    areChartsOurs: metrics === undefined,
    chartFault,
    components: inPageOrder(view.components).map(({ id, name, group }) => ({
      id,
      name: group === null ? name : `${group}: ${name}`,
    })),
  };
  const status = chartFault === null ? (shown?.status ?? 200) : 400;
  return adminPage(c, renderPageSettings(model, frameOf(view, Date.now())), status);
}

function valuesOf({ name, timeZone, origin, logo, accent, links = [], variables = {} }: Brand): Shown["values"] {
  const named = links.flatMap((link, i) => [
    [`links.${i}.name`, link.name],
    [`links.${i}.url`, link.url],
  ]);
  const coloured = Object.entries(variables).flatMap(([variable, colours]) => [
    [`variables.${variable}.light`, colours.light ?? ""],
    [`variables.${variable}.dark`, colours.dark ?? ""],
  ]);
  return {
    name: name ?? "",
    timeZone: timeZone ?? "",
    origin: origin ?? "",
    logo: logo ?? "",
    "accent.light": accent?.light ?? "",
    "accent.dark": accent?.dark ?? "",
    ...Object.fromEntries([...named, ...coloured]),
  };
}

/** What a form asks for, to be checked by the schema: all of it, an empty field is ours. */
function wishOf(values: Shown["values"]): { readonly wish: object; readonly linkRows: readonly number[] } {
  const of = (field: string): string | null => {
    const text = values[field]?.trim() ?? "";
    return text === "" ? null : text;
  };
  const logo = of("logo");
  const linkRows = Array.from({ length: LINK_ROWS }, (_, i) => i).filter(
    (i) => of(`links.${i}.name`) !== null || of(`links.${i}.url`) !== null,
  );
  const mode = (prefix: string) => {
    const [light, dark] = [of(`${prefix}.light`), of(`${prefix}.dark`)];
    return light === null && dark === null ? null : { ...(light && { light }), ...(dark && { dark }) };
  };
  const wish = {
    name: of("name"),
    timeZone: of("timeZone"),
    origin: of("origin"),
    logo: logo?.startsWith("<") === true ? svgUrl(logo) : logo,
    accent: mode("accent"),
    links: linkRows.map((i) => ({ name: of(`links.${i}.name`) ?? "", url: of(`links.${i}.url`) ?? "" })),
    variables: Object.fromEntries(COLOUR_NAMES.map((name) => [name, mode(`variables.${name}`)])),
  };
  return { wish, linkRows };
}

type Read = Shown & { readonly wish: BrandWish | null };

function read(body: Uint8Array, held: Brand): Read {
  const values = Object.fromEntries(formOf(body));
  const { wish, linkRows } = wishOf(values);
  const parsed = v.safeParse(PageRequestSchema, wish);
  const refused = (faults: readonly Fault[]): Read => ({ values, faults, status: 400, brand: null, wish: null });
  if (!parsed.success) {
    const inRow = (field: string | null): string | null =>
      field?.replace(/^links\.(\d+)/, (_, i) => `links.${linkRows[Number(i)] ?? 0}`) ?? null;
    return refused(
      parsed.issues.map((issue) => {
        const [{ message } = { message: "" }] = faultsOf([issue]);
        // Beside the colour that is missing, not beside both.
        return { field: inRow(v.getDotPath(issue)), message };
      }),
    );
  }
  const made = brandFrom(parsed.output, held);
  if (!made.ok) return refused([made.failure]);
  return { values, faults: [], status: 200, brand: made.value, wish: parsed.output };
}

async function heldBrand(c: AppContext): Promise<Brand> {
  return (await boardOf(c.env).operatorView([])).page.brand ?? {};
}

async function preview(c: AppContext, { body }: RouteRequest): Promise<Response> {
  return settingsPage(c, read(body, await heldBrand(c)));
}

async function save(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const shown = read(body, await heldBrand(c));
  if (shown.wish === null) return settingsPage(c, shown);
  const set = await boardOf(c.env).brand(shown.wish, visitor.by ?? "unknown", shown.values["revision"]);
  if (set.ok) return c.redirect("/admin/page", 303);
  if (set.failure.field !== "revision") return settingsPage(c, { ...shown, faults: [set.failure], status: 400 });
  const stands = valuesOf(await heldBrand(c));
  const other = [...new Set([...Object.keys(stands), ...Object.keys(shown.values)])].filter(
    (name) => name !== "revision" && (stands[name] ?? "") !== (shown.values[name] ?? ""),
  );
  const faults = other.map((field) => ({ field, message: `Now stands: ${stands[field] || "nothing"}` }));
  const message = "Somebody changed the page meanwhile. Both versions are shown: save again to keep yours.";
  return settingsPage(c, { ...shown, faults: [{ field: null, message }, ...faults], status: 409 });
}

async function saveCharts(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const form = formOf(body);
  const of = (i: number, part: string): string => form.get(`charts.${i}.${part}`) ?? "";
  const rows = Array.from({ length: CHART_ROWS }, (_, i) => i).filter((i) => of(i, "kind") !== "");
  const charts = rows.map((i) => ({
    kind: of(i, "kind"),
    component: of(i, "component") || null,
    name: of(i, "name").trim(),
  }));
  const parsed = v.safeParse(ChartsSchema, { charts: form.has("own") ? null : charts });
  if (!parsed.success) return settingsPage(c, null, faultsOf(parsed.issues)[0]?.message ?? "That is no chart.");
  const chosen = await boardOf(c.env).chooseCharts(parsed.output.charts, visitor.by ?? "unknown");
  return chosen.ok
    ? c.redirect("/admin/page", 303)
    : settingsPage(c, null, "A component is not there any more. Choose another.");
}

async function download(c: AppContext): Promise<Response> {
  const { file } = await boardOf(c.env).configView();
  return c.body(configYaml(file), 200, {
    "content-type": "application/yaml; charset=utf-8",
    "content-disposition": 'attachment; filename="status.yaml"',
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
}

const operator = { policy: "admin", role: "operator" } as const;

export const pageSettingsRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/page", policy: "admin", role: "viewer", handle: (c) => settingsPage(c, null) },
  { method: "POST", path: "/admin/page", ...operator, bodyMaxBytes: BODY_MAX, handle: save },
  { method: "POST", path: "/admin/page/preview", ...operator, bodyMaxBytes: BODY_MAX, handle: preview },
  { method: "POST", path: "/admin/page/charts", ...operator, bodyMaxBytes: FORM_MAX, handle: saveCharts },
  { method: "GET", path: "/admin/page/export", policy: "admin", role: "owner", stepUp: true, handle: download },
];
