import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { button, faultOf, invalid, segment, table } from "./elements.ts";
import type { AdminFrame, ServiceModel, ServicesModel } from "./model.ts";
import { readableName } from "../english.ts";
import { clusterLink, READING_HEAD, readingCells } from "./parts.ts";

export function renderServices(model: ServicesModel, frame: AdminFrame): string {
  const { query, services } = model;
  const names = [...new Set(services.map((service) => service.cluster))];
  const sections = names.map((name) => {
    const members = services.filter((service) => service.cluster === name);
    return markup`<section><h2>${clusterLink(name)}</h2>
${table({
  caption: `Services of ${name}`,
  head: ["Service", ...READING_HEAD, "On the public page"],
  rows: members.map((service) => [service.service, ...readingCells(service, frame), shown(service, model)]),
  empty: "",
})}</section>`;
  });
  const groups = [...new Set(services.flatMap((service) => service.published.flatMap((p) => p.group ?? [])))];
  return adminDocument(
    frame,
    "/admin/services",
    "Services",
    markup`<p class="soft">Visitors see a published service under the name and group you give it here, never its namespace or host. <a href="/admin/limits">Limits</a> say when it counts as degraded or out.</p>
${(frame.inbox ?? 0) > 0 && markup`<p><a href="/admin/services/inbox">Decide about what is new</a>, several at once.</p>`}
${strayFaults(model)}<form class="filter" method="get" action="/admin/services" role="search"><label for="q">Filter</label> <input id="q" name="q" type="search" value="${query}"> <button class="secondary">Filter</button>${query !== "" && markup` <a href="/admin/services">show all</a>`}</form>
<datalist id="groups">${groups.map((group) => markup`<option value="${group}">`)}</datalist>
${sections.length > 0 ? sections : nothing(query)}`,
  );
}

/** What was wrong with a form whose row is not here any more: silent, filtered away, or published meanwhile. */
function strayFaults({ services, refused }: ServicesModel): Html {
  const hasForm = services.some(
    ({ cluster, service, published }) => refused?.values.service === `${cluster}/${service}` && published.length === 0,
  );
  const faults = hasForm ? [] : (refused?.faults ?? []);
  return markup`${faults.map(({ message }) => faultOf([{ field: null, message }], null, "fault-form"))}`;
}

function nothing(query: string): Html {
  return query === ""
    ? markup`<p class="empty">No service is reported yet. They appear here as soon as an agent pushes; <a href="/admin/clusters">its state</a> says what is missing.</p>`
    : markup`<p class="empty">No service matches “${query}”. <a href="/admin/services">Show all</a></p>`;
}

function shown(service: ServiceModel, model: ServicesModel): Html {
  const published = service.published.map(
    ({ id, name, group }) =>
      markup`<div class="shown"><span><a href="/admin/components/${segment(id)}">${name}</a>${group !== null && ` in ${group}`}</span> ${button(`/admin/components/${segment(id)}/remove`, "Unpublish")}</div>`,
  );
  return published.length > 0 ? markup`${published}` : publishForm(service, model);
}

function publishForm({ cluster, service }: ServiceModel, { refused }: ServicesModel): Html {
  const ref = `${cluster}/${service}`;
  const mine = refused !== null && refused.values.service === ref ? refused : null;
  const faults = mine?.faults ?? [];
  const id = ref.replace(/[^a-z0-9]/g, "-");
  const name = mine?.values.name ?? readableName(service);
  return markup`<form class="publish" method="post" action="/admin/components"><input type="hidden" name="service" value="${ref}">
<label><span>Name</span><input name="name" required maxlength="100" value="${name}"${invalid(faults, "name", `${id}-name`)}></label>
<label><span>Group</span><input name="group" maxlength="100" list="groups" value="${mine?.values.group ?? ""}"${invalid(faults, "group", `${id}-group`)}></label>
<button class="secondary">Publish</button>
${faultOf(faults, "name", `${id}-name`)}${faultOf(faults, "group", `${id}-group`)}${faultOf(faults, "service", `${id}-service`)}${faultOf(faults, null, `${id}-form`)}</form>`;
}
