/**
 * The book of certificates on disk: what was told is not told again by an agent started anew, and what went away while
 * none ran is told to be gone. It holds names and dates, and never a key.
 *
 *   certificates.json   { form, places }
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { CERTIFICATE_ROLES, CERTIFICATE_SOURCES } from "../../protocol/certificate.ts";
import { CERTIFICATES_MAX, type Place } from "../core/certificate.ts";
import { replaceFile } from "../frames.ts";
import { parseJson } from "../http.ts";

const FILE = "certificates.json";
/** Rises with the form of the file: another form is begun anew. */
const FORM = 1;

const Moment = v.pipe(v.number(), v.finite());
const Subject = v.nullable(v.object({ subject: v.string(), notAfter: Moment }));
const SightingSchema = v.object({
  source: v.picklist(CERTIFICATE_SOURCES),
  location: v.string(),
  fingerprint: v.nullable(v.string()),
  life: v.object({
    notBefore: v.nullable(Moment),
    notAfter: v.nullable(Moment),
    renewAt: v.nullable(Moment),
    role: v.picklist(CERTIFICATE_ROLES),
    chain: v.nullable(v.object({ notBefore: v.nullable(Moment), notAfter: Moment, subject: v.string() })),
  }),
  anchor: Subject,
  names: v.array(v.string()),
  facts: v.record(v.string(), v.union([v.string(), v.number(), v.boolean(), v.null()])),
  sameEndMs: v.exactOptional(Moment),
});
const PlaceSchema: v.GenericSchema<unknown, Place> = v.object({
  sighting: SightingSchema,
  since: Moment,
  seenAt: Moment,
  missed: v.number(),
  told: v.array(v.string()),
  cause: v.picklist(["well", "overdue", "ending", "expired", "not_yet_valid", "unreadable", "not_served"]),
  lifetimeMs: v.nullable(Moment),
  shares: v.array(v.number()),
});
const FileSchema = v.object({
  form: v.literal(FORM),
  places: v.pipe(v.array(PlaceSchema), v.maxLength(CERTIFICATES_MAX)),
});

/** None where there is no file, or none that can be read: then all is told again, which the edge knows by its ids. */
export function loadPlaces(dataDir: string): readonly Place[] {
  const path = join(dataDir, FILE);
  try {
    const file = existsSync(path) ? v.safeParse(FileSchema, parseJson(readFileSync(path, "utf8"))) : null;
    return file?.success === true ? file.output.places : [];
  } catch {
    return [];
  }
}

/** Null, or why it could not be written; the agent goes on without. */
export function savePlaces(dataDir: string, places: readonly Place[]): string | null {
  try {
    replaceFile(join(dataDir, FILE), Buffer.from(JSON.stringify({ form: FORM, places })));
    return null;
  } catch (error) {
    return `its book cannot be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}
