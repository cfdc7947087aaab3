/** Texts to begin an incident with, as forms and files say them. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import { INCIDENT_STATUSES } from "../../protocol/page.ts";
import { SAYABLE } from "../../web/view/admin/incident-form.ts";
import { TEMPLATE_BODY_MAX, TEMPLATE_TITLE_MAX, TEMPLATES_MAX, unknownVariables, VARIABLES } from "../core/template.ts";
import { MarkdownText } from "./announce-request.ts";
import { Name } from "./component-request.ts";

const KNOWN = Object.keys(VARIABLES).map((word) => `{{${word}}}`);

const Filled = v.check<string, (issue: v.CheckIssue<string>) => string>(
  (text) => unknownVariables(text).length === 0,
  ({ input }) => `there is no ${unknownVariables(input).join(", ")}; there are ${KNOWN.join(", ")}`,
);

/** An incident does not begin with its end. */
const STATUSES = INCIDENT_STATUSES.filter((status) => status !== "resolved" && status !== "postmortem");

const entries = {
  title: v.pipe(line(TEMPLATE_TITLE_MAX), v.trim(), v.nonEmpty("must not be empty")),
  name: v.pipe(Name, Filled),
  status: v.picklist(STATUSES, `must be one of ${STATUSES.join(", ")}`),
  affected: v.picklist(SAYABLE, `must be one of ${SAYABLE.join(", ")}`),
  body: v.pipe(
    MarkdownText,
    v.maxLength(TEMPLATE_BODY_MAX, `must be at most ${TEMPLATE_BODY_MAX} characters`),
    v.check((text) => text.trim() !== "", "must not be empty"),
    Filled,
  ),
};

export const TemplateSchema = v.strictObject(entries);

export const TemplatesSaid = v.pipe(
  v.array(
    v.strictObject({
      id: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-z-]{1,40}$/, "must be 1 to 40 of 0-9, a-z and -"))),
      ...entries,
    }),
  ),
  v.maxLength(TEMPLATES_MAX, `at most ${TEMPLATES_MAX}`),
);
