import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openAudit } from "../../agent/audit.ts";
import { windowRecord } from "../support/facts.ts";

it("writes each window once, also the one that a crash kept from the log", () => {
  const directory = mkdtempSync(join(tmpdir(), "audit-"));
  const first = openAudit(directory, "eu-1", []);
  first.write([windowRecord(0)]);
  first.close();
  openAudit(directory, "eu-1", [windowRecord(0), windowRecord(1)]).close();
  openAudit(directory, "eu-1", [windowRecord(1)]).close();
  expect(readFileSync(join(directory, "windows.log"), "utf8")).toBe(
    "eu-1/shop/checkout 2026-11-23T12:00:00Z\neu-1/shop/checkout 2026-11-23T12:01:00Z\n",
  );
});
