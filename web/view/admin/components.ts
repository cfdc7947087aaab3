import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import type { ComponentsModel, ListedComponent, ListedGroup } from "./components-model.ts";
import { adminDocument } from "./document.ts";
import { segment } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import { shape } from "../shape.ts";
import { statusWord } from "../english.ts";

/** The components in the order of the page: where they stand is set here, what they are on their own pages. */
export function renderComponents(model: ComponentsModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/components",
    "Components",
    markup`<p class="soft">In the order that visitors see. Drag, or use the arrows: a group moves with all that stands in it.</p>
<p class="actions"><a class="primary" href="/admin/components/new">New component</a> <a href="/admin/limits">Limits</a> <a href="/admin/page">Page</a></p>
<div id="order">${orderRegion(model)}</div>`,
  );
}

function orderRegion(model: ComponentsModel): Html {
  const { groups, moved } = model;
  const said = markup`<p class="vh" role="status" id="moved">${moved?.says}</p>`;
  if (groups.length === 0)
    return markup`${said}<p class="empty">Nothing stands on the page yet. <a href="/admin/components/new">Make a component</a>, or <a href="/admin/services">publish what agents report</a>.</p>`;
  return markup`${said}${groups.map((group) => section(group, 2, groups.length, model))}`;
}

/** @param among how many stand beside it, itself included */
function section(group: ListedGroup, level: number, among: number, model: ComponentsModel): Html {
  const { name, own, groups } = group;
  const key = `group:${name ?? ""}`;
  const words = shortName(name);
  const heading = `h${Math.min(level, 4)}`;
  return markup`<section class="group" data-group="${name ?? ""}"><div class="bar">${among > 1 && markup`<span class="grip" data-drag="group"></span>`}<${trusted(heading)}>${words}</${trusted(heading)}>${name !== null && rename(name, model)}${among > 1 && arrows("group", name ?? "", key, name ?? "those without a group", model)}</div>
${(own.length > 0 || groups.length === 0) && markup`<ol data-list="${name ?? ""}">${own.map((one) => row(one, model))}</ol>`}
${groups.map((one) => section(one, level + 1, groups.length, model))}</section>`;
}

/** A group within another by its own name: where it stands says the rest. */
function shortName(name: string | null): string {
  return name === null ? "Without a group" : (name.split(" / ").at(-1) ?? name);
}

function row({ id, name, status, hidden, services }: ListedComponent, model: ComponentsModel): Html {
  return markup`<li data-component="${id}"><span class="grip" data-drag="component"></span><span class="what">${shape(status)}<a href="/admin/components/${segment(id)}">${name}</a></span><small>${statusWord(status)}${hidden && markup` · <b>hidden</b>`} · ${services === 0 ? "no service" : services === 1 ? "1 service" : `${services} services`}</small>${arrows("component", id, id, name, model)}</li>`;
}

function arrows(field: string, value: string, key: string, name: string, { moved }: ComponentsModel): Html {
  const arrow = (by: "up" | "down", sign: string): Html =>
    markup`<button class="quiet" name="by" value="${by}" aria-label="Move ${name} ${by}"${moved?.key === key && moved.by === by && trusted(" autofocus")}>${sign}</button>`;
  return markup`<form class="arrows" method="post" action="/admin/components/order"><input type="hidden" name="${field}" value="${value}">${arrow("up", "↑")}${arrow("down", "↓")}</form>`;
}

function rename(name: string, { refused }: ComponentsModel): Html {
  const mine = refused?.from === name ? refused : null;
  return markup`<details class="rename"${mine !== null && trusted(" open")}><summary aria-label="Rename ${name}">Rename</summary><form method="post" action="/admin/components/rename"><input type="hidden" name="from" value="${name}"><label><span class="vh">New name of ${name}</span><input name="to" maxlength="255" value="${mine?.to ?? name}"${mine !== null && markup` aria-invalid="true" aria-describedby="fault-rename"`}></label> <button class="secondary">Rename</button>${mine !== null && markup`<p class="fault" id="fault-rename">${shape("major_outage")} ${mine.message}</p>`}</form></details>`;
}
