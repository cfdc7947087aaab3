import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import type { AskedModel } from "./doors-model.ts";

/** A form as it was sent, to be sent again. */
export function again({ method, action, fields }: AskedModel, inside: Html | null): Html {
  const hidden = fields.map(([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`);
  return markup`<form id="asked" method="${method.toLowerCase()}" action="${action}">${hidden}${inside}</form>`;
}
