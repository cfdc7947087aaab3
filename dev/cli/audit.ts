/** Reads the audit back from Postgres, and believes nothing of it that its hashes do not show. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { AuditEntry, AuditFault } from "../../protocol/audit.ts";
import { AUDIT_GENESIS, followAudit } from "../../protocol/audit.ts";
import { command, Usage } from "./command.ts";
import { ask, findOperator, readText, Refusal } from "./edge.ts";

const HELP = `
npm run -s audit -- verify    shows that no entry of the audit was changed, taken out or put in
npm run -s audit -- export    prints it as JSON lines, oldest first

  Every hash is counted anew from what Postgres holds. An entry that does not follow ends it with 1. What an earlier
  version wrote has no hash: it is exported and not vouched for.

  npm run -s audit -- export > audit.jsonl
`;

const FAULTS: Readonly<Record<AuditFault["fault"], string>> = {
  missing: "is missing",
  changed: "was changed after it was written: its hash is not what it says",
  unlinked: "does not follow from the one before it: one of them was written anew",
};

/** What an entry says is hashed as it came: nothing of it is left out here. */
const Entry = v.custom<AuditEntry>((entry) => v.is(v.looseObject({ n: v.number(), hash: v.string() }), entry));
const Page = v.object({
  entries: v.array(Entry),
  next: v.nullable(v.number()),
  head: v.object({ n: v.number(), hash: v.string() }),
  waiting: v.number(),
  /** Absent in what an earlier version answers. */
  numbered: v.optional(v.number()),
});

await command(HELP, {}, async ({ positionals }) => {
  const [verb, ...rest] = positionals;
  if (rest.length > 0 || (verb !== "verify" && verb !== "export")) throw new Usage("say verify or export");
  if (verb === "verify") return verify();
  await readText(findOperator(), "/cli/v1/audit/export", (chunk) => void process.stdout.write(chunk));
});

async function verify(): Promise<void> {
  const operator = findOperator();
  let head = AUDIT_GENESIS;
  for (let after: number | null = 0; after !== null;) {
    const page: v.InferOutput<typeof Page> = await ask(operator, "GET", `/cli/v1/audit?after=${after}`, null, Page);
    const followed = followAudit(head, page.entries, sha256);
    if (followed.fault !== null) throw new Refusal(`entry ${followed.fault.n} ${FAULTS[followed.fault.fault]}`);
    head = followed.head;
    const held = page.entries.find(({ n }) => n === page.head.n);
    if (held !== undefined && held.hash !== page.head.hash)
      throw new Refusal(`Postgres and the page disagree about entry ${held.n}: one of them was written anew`);
    after = page.next;
    if (after !== null) continue;
    // Numbered entries leave with the next flush; until then the page is ahead by what waits.
    if (head.n < page.head.n - (page.numbered ?? page.waiting))
      throw new Refusal(`entry ${head.n + 1} ${FAULTS.missing}`);
    if (page.waiting > 0) console.error(`${page.waiting} newest entries are still on their way to Postgres`);
  }
  console.log(
    head.n === 0
      ? "no entry has a number yet"
      : `${head.n} entries, all as they were written; newest hash ${head.hash}`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
