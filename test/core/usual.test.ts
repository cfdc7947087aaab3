import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Tell, ToldService } from "../../worker/core/component.ts";
import { remembering } from "../../worker/core/usual.ts";
import { NOON, tell, told } from "../support/facts.ts";

const getting = (perSecond: number | null, status: ToldService["status"] = "operational"): ToldService => ({
  ...told(status),
  traffic: perSecond === null ? null : { requests: perSecond * 20, errors: 0, spanMs: 20_000 },
});

/** What is remembered after tells of these services, one each `stepMs`. */
function after(stepMs: number, ...services: readonly ToldService[]): ToldService | undefined {
  const last = services.reduce<Tell | null>((held, one, i) => remembering(held, tell(NOON + i * stepMs, [one])), null);
  return last?.services[0];
}

describe("how much a service usually gets", () => {
  it.each([
    ["what it gets first", HOUR, [getting(50)], 50],
    ["of a step up after an hour, two thirds of it", HOUR, [getting(50), getting(100)], 81.6],
    ["of a step up by a clock that was set back a day: nothing", -DAY, [getting(50), getting(100)], 50],
    ["of a step down after a minute, next to nothing", MINUTE, [getting(50), getting(0)], 49.2],
    [
      "an outage is not usual, however long",
      HOUR,
      [getting(50), getting(0, "major_outage"), getting(0, "unknown")],
      50,
    ],
    ["nor is what cannot be read", HOUR, [getting(50), getting(null)], 50],
    ["of what failed from the first: nothing is known", HOUR, [getting(2, "major_outage")], undefined],
    ["of what is unknown from the first: nothing, until it is well", HOUR, [getting(2, "unknown"), getting(9)], 9],
    ["of what nobody counts: nothing is known", HOUR, [getting(null)], undefined],
  ] as const)("is %s", (_name, stepMs, services, usual) => {
    const found = after(stepMs, ...services)?.usualPerSecond;
    if (usual === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(usual, 1);
  });

  it("follows in small steps as in large ones: rounding swallows none", () => {
    const steps = Array.from({ length: 120 }, () => getting(100));
    expect(after(MINUTE / 2, getting(50), ...steps)?.usualPerSecond).toBeCloseTo(81.6, 0);
  });
});

describe("since when a service gets no requests", () => {
  it("is the begin of the first span without any, for as long as there is none", () => {
    expect(after(MINUTE, getting(50), getting(0), getting(0))?.quietSince).toBe(NOON + MINUTE - 20_000);
    expect(after(MINUTE, getting(50), getting(0), getting(1))?.quietSince).toBeUndefined();
    expect(after(MINUTE, getting(0), getting(null))?.quietSince).toBeUndefined();
  });
});
