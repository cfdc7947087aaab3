import { expect, it } from "vitest";
import { namesDay } from "../../protocol/time.ts";

it.each([
  ["2026-02-28T02:00:00Z", true],
  ["2026-02-29T02:00:00Z", false],
  ["2028-02-29T02:00:00Z", true],
  ["2000-02-29T02:00:00Z", true],
  ["2100-02-29T02:00:00Z", false],
  ["2026-04-31T02:00:00+01:00", false],
  ["2026-12-31T23:59:59Z", true],
  ["2026-12-00T00:00:00Z", false],
  ["2026-13-01T00:00:00Z", false],
  ["tomorrow", false],
])("%s begins with a day that exists: %s", (text, exists) => expect(namesDay(text)).toBe(exists));
