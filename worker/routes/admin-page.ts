/** What every handler of an admin page needs. */
import * as v from "valibot";
import { documentHeaders } from "./document.ts";
import type { AppContext } from "./table.ts";

/** Bytes of a form. */
export const FORM_MAX = 16_384;

export function adminPage(c: AppContext, markup: string, status: 200 | 201 | 400 | 401 | 403 | 409 = 200): Response {
  return c.html(markup, status, documentHeaders("admin"));
}

export function formOf(body: Uint8Array): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
}

const MOMENT_WANTED = "Give date and time, in UTC.";

/** What a field of date and time sends: UTC, because a form has no zone. */
export const formMoment = v.pipe(
  v.string(MOMENT_WANTED),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/, MOMENT_WANTED),
  v.transform((text) => Date.parse(`${text}Z`)),
  v.number(MOMENT_WANTED),
);
