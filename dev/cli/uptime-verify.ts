/** Reads the chain of frozen days back from Postgres, and believes nothing of it that its hashes do not show. */
import { createHash } from "node:crypto";
import type { ChainEntry, ChainFault } from "../../protocol/chain.ts";
import { followChain, GENESIS } from "../../protocol/chain.ts";
import { command, Usage } from "./command.ts";
import { findOperator, readChain, Refusal } from "./edge.ts";

const HELP = `
npm run -s uptime:verify [-- --hash HASH]   shows that no frozen day was changed

  --hash HASH   a hash that somebody wrote down, or how it begins (16 digits at least): says which day it stands for

  Every hash is counted anew from what Postgres holds. A day that was changed, taken out or put in ends it with 1.

  npm run -s uptime:verify -- --hash 3f9a52c017bd44e6
`;

const FAULTS: Readonly<Record<ChainFault["fault"], string>> = {
  missing: "is missing",
  changed: "was changed after it was written: its hash is not what it says",
  unlinked: "does not follow from the one before it: one of them was written anew",
  frozen_twice: "freezes a day that was frozen before, instead of correcting it",
  amends_nothing: "corrects a day that was not frozen then",
};

await command(HELP, { hash: { type: "string" } }, async ({ values, positionals }) => {
  if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
  const noted = values.hash?.toLowerCase();
  if (noted !== undefined && !/^[0-9a-f]{16,64}$/.test(noted)) throw new Usage("--hash is 16 to 64 hex digits");
  const operator = findOperator();
  let [head, first, last, days, amendments] = [GENESIS, "", "", 0, 0];
  let found: ChainEntry | null = null;
  for (let after: number | null = 0; after !== null;) {
    const page = await readChain(operator, after);
    const followed = followChain(head, page.entries, sha256);
    if (followed.fault !== null) throw new Refusal(`entry ${followed.fault.n} ${FAULTS[followed.fault.fault]}`);
    head = followed.head;
    for (const entry of page.entries) {
      if (entry.n === page.head.n && entry.hash !== page.head.hash)
        throw new Refusal(`Postgres and the page disagree about entry ${entry.n}: one of them was written anew`);
      if (noted !== undefined && entry.hash.startsWith(noted)) found = entry;
      if (entry.correction === null) [first, last, days] = [first === "" ? entry.day : first, entry.day, days + 1];
      else amendments++;
    }
    after = page.next;
    if (after === null) compare(head.n, page.head.n, page.waiting);
  }
  console.log(
    days === 0
      ? "no day is frozen yet: the first freezes a quarter of an hour after it ends"
      : `${count(days, "day")} from ${first} to ${last} and ${count(amendments, "correction")}, all as they were written; newest hash ${head.hash}`,
  );
  if (noted === undefined) return;
  if (found === null)
    throw new Refusal(`no entry has a hash that begins with ${noted}: what it stood for was replaced`);
  console.log(`${noted} is of entry ${found.n}, ${found.correction === null ? "freezing" : "correcting"} ${found.day}`);
});

function count(n: number, one: string): string {
  return `${n} ${one}${n === 1 ? "" : "s"}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** How many entries Postgres holds, beside how many the page has written. */
function compare(stored: number, written: number, waiting: number): void {
  if (stored < written - waiting) throw new Refusal(`entry ${stored + 1} ${FAULTS.missing}`);
  if (stored < written) console.error(`${written - stored} newest entries are still on their way to Postgres`);
  // A page that lost its memory goes on from there with the next day that it freezes.
  if (stored > written) console.error("the page has not read back what Postgres holds yet");
}
