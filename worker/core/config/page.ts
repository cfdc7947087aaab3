/** How the page looks and where it stands, and who it is to programs. */
import type { BrandColours } from "../../../protocol/page.ts";
import { failure, success } from "../../../protocol/result.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { BrandWish } from "../brand.ts";
import { brandFrom } from "../brand.ts";
import type { Section } from "./section.ts";

export interface PageSection {
  /** Programs know the page by it. */
  readonly id?: string;
  readonly since?: Millis;
  /** Absent: the deployment's. */
  readonly name?: string;
  readonly origin?: string;
  /** Absent: the deployment's. */
  readonly timeZone?: string;
  readonly logo?: string;
  readonly accent?: { readonly light: string; readonly dark?: string };
  readonly links?: readonly { readonly name: string; readonly url: string }[];
  readonly variables?: Readonly<Record<string, Partial<BrandColours>>>;
}

export const pageSection: Section<"page", PageSection> = {
  name: "page",
  read({ page }) {
    const { name, origin, timeZone, logo, accent, links, variables } = page.brand ?? {};
    return {
      id: page.id,
      since: page.createdAt,
      ...(name !== undefined && { name }),
      ...(origin !== undefined && { origin }),
      ...(timeZone !== undefined && { timeZone }),
      ...(logo !== undefined && { logo }),
      ...(accent !== undefined && { accent: { light: accent.light, dark: accent.dark } }),
      ...(links !== undefined && { links: links.map((link) => ({ name: link.name, url: link.url })) }),
      ...(variables !== undefined && { variables }),
    };
  },
  write(state, { id, since, ...wish }, { now, deploymentName, deploymentZone }) {
    const brand = brandFrom(wish as BrandWish, {});
    if (!brand.ok)
      return failure({ path: ["page", ...brand.failure.field.split(".")], message: brand.failure.message });
    if (since !== undefined && since > now) return failure({ path: ["page", "since"], message: "must have passed" });
    const { brand: _, ...rest } = state.page;
    const isOurs = Object.keys(brand.value).length === 0;
    const page = {
      ...rest,
      id: id ?? rest.id,
      createdAt: since ?? rest.createdAt,
      name: brand.value.name ?? deploymentName,
      timeZone: brand.value.timeZone ?? deploymentZone,
      ...(isOurs ? {} : { brand: brand.value }),
    };
    return success({ ...state, page });
  },
};
