/** Nobody changes the past unseen: what Postgres holds of frozen days is followed by the command that anybody may run. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { expect, it } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { ChainEntry } from "../../protocol/chain.ts";
import { entryText } from "../../protocol/chain.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually, ROOT } from "../support/process.ts";
import { openArchive } from "./archive.ts";

const WITHIN_MS = 60_000;
const TODAY = Math.floor(Date.now() / DAY) * DAY;

function hashed(entry: ChainEntry): ChainEntry {
  return { ...entry, hash: createHash("sha256").update(entryText(entry)).digest("hex") };
}

async function run(edge: Edge, command: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const env = { ...process.env, OBSERVATORY_URL: edge.url, OBSERVATORY_OPERATOR_KEY: edge.secrets.OPERATOR_KEY };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "dev/cli", command), ...args], { env });
    return { code: 0, text: stdout };
  } catch (error) {
    const { code, stderr } = error as { readonly code: number; readonly stderr: string };
    return { code, text: stderr };
  }
}

it("a chain that was frozen, corrected and tampered with is verified, and the tampering is named", async ({
  onTestFinished,
}) => {
  const database = await startDatabase({});
  onTestFinished(() => database.stop());
  const archive = openArchive(database.url);
  onTestFinished(() => archive.close());
  const edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  onTestFinished(() => edge.remove());
  const query = async (text: string, ...values: readonly unknown[]): Promise<void> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(text, [...values]);
    await client.end();
  };
  expect((await run(edge, "uptime-verify.ts")).text).toMatch(/^no day is frozen yet/);

  // A page of four days, which this edge has not seen: it takes them back from the archive, and freezes them.
  await edge.cli("PUT", "/cli/v1/components", { components: [{ name: "Checkout", services: ["eu-1/shop/checkout"] }] });
  await eventually(async () => (await archive.board("component")).length > 0, WITHIN_MS, "the component");
  const id = String((await archive.board("component"))[0]?.["id"]);
  await edge.kill();
  for (const [at, status] of [
    [TODAY - 4 * DAY, "operational"],
    [TODAY - 3 * DAY, "major_outage"],
    [TODAY - 3 * DAY + HOUR, "operational"],
  ] as const)
    await query(
      "INSERT INTO board_fact (kind, key, revision, at, body) VALUES ('status_change', $1, 1, to_timestamp($2 / 1000.0), $3)",
      `${id}:${at}`,
      at,
      { component: id, at, status },
    );
  edge.forget("Board");
  await edge.start();
  await edge.visit("/");
  await eventually(async () => (await archive.board("uptime")).length >= 3, WITHIN_MS, "the frozen days");

  const whole = await run(edge, "uptime-verify.ts");
  expect([whole.code, whole.text]).toEqual([
    0,
    expect.stringMatching(
      /^[34] days from .* and 0 corrections, all as they were written; newest hash [0-9a-f]{64}\n$/,
    ),
  ]);
  const [noted = ""] = /[0-9a-f]{64}/.exec(whole.text) ?? [];

  const span = [new Date(TODAY - 3 * DAY), new Date(TODAY - 3 * DAY + HOUR)].map((at) => at.toISOString());
  const asked = ["--component", id, "--from", span[0] ?? "", "--to", span[1] ?? "", "--reason", "a false alarm"];
  const day = new Date(TODAY - 3 * DAY).toISOString().slice(0, 10);
  const amended = await run(edge, "uptime-amend.ts", ...asked, "--status", "operational");
  expect([amended.code, amended.text]).toEqual([
    0,
    expect.stringMatching(`^${day} corrected, entry [45], hash [0-9a-f]{64}\n$`),
  ]);
  expect((await run(edge, "uptime-amend.ts", ...asked, "--status", "operational")).text).toMatch(
    /written down already/,
  );
  await eventually(
    async () => (await archive.board("uptime")).some((entry) => entry["correction"] !== null),
    WITHIN_MS,
    "the correction in Postgres",
  );
  const again = await run(edge, "uptime-verify.ts", "--hash", noted.slice(0, 16));
  expect([again.code, again.text]).toEqual([0, expect.stringContaining("1 correction, all as they were written")]);
  expect(again.text).toMatch(`${noted.slice(0, 16)} is of entry `);

  // Nothing hangs on the newest entry but what the page itself remembers.
  const last = (await archive.board("uptime"))
    .toSorted((a, b) => Number(a["n"]) - Number(b["n"]))
    .at(-1) as unknown as ChainEntry;
  const write = (entry: ChainEntry): Promise<void> =>
    query("UPDATE board_fact SET body = $1 WHERE kind = 'uptime' AND (body->>'n')::int = $2", entry, entry.n);
  const hidden = async (work: () => Promise<void>): Promise<void> => {
    await query("UPDATE board_fact SET kind = 'hidden' WHERE kind = 'uptime' AND (body->>'n')::int = $1", last.n);
    await work();
    await query("UPDATE board_fact SET kind = 'uptime' WHERE kind = 'hidden'");
  };
  await hidden(async () =>
    expect(await run(edge, "uptime-verify.ts")).toEqual({ code: 1, text: `entry ${last.n} is missing\n` }),
  );
  const forged = hashed({ ...last, at: last.at + 1 });
  await write(forged);
  const disagree = `Postgres and the page disagree about entry ${last.n}: one of them was written anew\n`;
  expect(await run(edge, "uptime-verify.ts")).toEqual({ code: 1, text: disagree });
  const next = hashed({ ...last, n: last.n + 1, previous: forged.hash });
  await query("INSERT INTO board_fact (kind, key, revision, at, body) VALUES ('uptime', 'z', 1, now(), $1)", next);
  expect(await run(edge, "uptime-verify.ts")).toEqual({ code: 1, text: disagree });
  await query("DELETE FROM board_fact WHERE key = 'z'");
  await write(last);

  const kinder = "jsonb_set(body, ARRAY['tallies', $1], '{\"operational\": 86400000}')";
  await query(`UPDATE board_fact SET body = ${kinder} WHERE kind = 'uptime' AND (body->>'n')::int = 2`, id);
  const caught = await run(edge, "uptime-verify.ts");
  expect([caught.code, caught.text]).toEqual([
    1,
    "entry 2 was changed after it was written: its hash is not what it says\n",
  ]);
  await query("DELETE FROM board_fact WHERE kind = 'uptime' AND (body->>'n')::int = 2");
  expect((await run(edge, "uptime-verify.ts")).text).toBe("entry 2 is missing\n");
  expect((await run(edge, "uptime-verify.ts", "--hash", "f00")).code).toBe(2);
});
