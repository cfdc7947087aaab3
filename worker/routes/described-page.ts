/** What the page's own addresses for programs answer, as schemas. Statuspage's are in `core/statuspage-schema.ts`. */
import * as v from "valibot";

export const HealthAnswer = v.strictObject({ status: v.literal("ok") });
