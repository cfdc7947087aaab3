/** Drafts that the evidence makes, on a time line of minutes. */
import { describe, expect, it } from "vitest";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Draft } from "../../worker/core/draft.ts";
import { draftState, unconfirmedSince } from "../../worker/core/draft.ts";
import { evidenceDrafts } from "../../worker/core/draft-evidence.ts";
import type { Incident } from "../../worker/core/incident.ts";
import type { PageFacts } from "../../worker/core/snapshot.ts";
import { NOON, component, incident, incidentUpdate, tell, told } from "../support/facts.ts";

const CHECKOUT = component();
const bad = "partial_outage" as const;
const well = "operational" as const;

/** How Checkout was from each minute on. */
type Line = readonly (readonly [minutes: number, status: "operational" | "partial_outage" | "unknown"])[];

function factsAt(line: Line, now: number, held: Partial<PageFacts> = {}): PageFacts {
  const past = line.filter(([minutes]) => NOON + minutes * MINUTE <= now);
  const status = past.at(-1)?.[1] ?? "unknown";
  const changes = past.map(([minutes, to]) => ({
    component: CHECKOUT.id,
    at: NOON + minutes * MINUTE,
    status: to as ComponentStatus,
  }));
  return {
    version: 1,
    page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON - DAY },
    components: [CHECKOUT],
    maintenances: [],
    tells: new Map([["eu-1", tell(now, [told(status)])]]),
    outside: new Map(),
    changes: new Map([[CHECKOUT.id, changes]]),
    archive: { delayedSince: null, isRestoring: false },
    ...held,
  };
}

/** What stands after looking once a minute. */
function play(
  line: Line,
  minutes: number,
  held: (drafts: readonly Draft[], now: number) => Partial<PageFacts> = () => ({}),
) {
  const drafts = new Map<string, Draft>();
  let writes = 0;
  for (let i = 0; i <= minutes; i++) {
    const now = NOON + i * MINUTE;
    const all = [...drafts.values()];
    for (const draft of evidenceDrafts(all, factsAt(line, now, held(all, now)), now)) {
      drafts.set(draft.id, draft);
      writes++;
    }
  }
  return { drafts: [...drafts.values()], writes };
}

describe("trouble that no incident speaks of", () => {
  const trouble: Line = [
    [0, well],
    [2, bad],
  ];

  it("makes one draft after three minutes, from its first bad minute on, and writes it once", () => {
    expect(play(trouble, 4).drafts).toEqual([]);
    const { drafts, writes } = play(trouble, 60);
    expect(drafts).toMatchObject([
      {
        title: "Checkout: partial outage",
        startedAt: NOON + 2 * MINUTE,
        components: [{ component: CHECKOUT.id, status: bad }],
      },
    ]);
    expect(writes).toBe(1);
    expect(drafts.map((draft) => unconfirmedSince(draft, NOON + HOUR))).toEqual([null]);
  });

  it("is over when all is well, and the same draft again if it comes back", () => {
    const line: Line = [...trouble, [8, well], [12, bad], [18, well], [22, bad], [28, well]];
    const { drafts, writes } = play(line, 40);
    expect(drafts.map(draftState)).toEqual(["over"]);
    expect(writes).toBe(6);
  });

  it("that comes back after half an hour is another", () => {
    const { drafts } = play([...trouble, [8, well], [50, bad]], 60);
    expect(drafts.map(draftState)).toEqual(["over", "open"]);
  });

  it("that somebody dismissed is not asked of again while it lasts", () => {
    const [draft] = play(trouble, 5).drafts;
    if (draft === undefined) throw new Error("no draft");
    const dismissed: Draft = {
      ...draft,
      decided: { act: "dismissed", incident: null, by: "ops", at: NOON + 6 * MINUTE },
    };
    for (const minutes of [7, 30, 600])
      expect(evidenceDrafts([dismissed], factsAt(trouble, NOON + minutes * MINUTE), NOON + minutes * MINUTE)).toEqual(
        [],
      );
    const anew: Line = [...trouble, [100, well], [200, bad]];
    expect(evidenceDrafts([dismissed], factsAt(anew, NOON + 204 * MINUTE), NOON + 204 * MINUTE)).toHaveLength(1);
  });

  it("makes none while an incident speaks of it, in silence, or of a component that nobody sees", () => {
    const said: Incident = incident({
      updates: [incidentUpdate({ affected: [{ component: CHECKOUT.id, name: "Checkout", from: well, to: bad }] })],
    });
    expect(play(trouble, 30, () => ({ incidents: [said] })).drafts).toEqual([]);
    expect(
      play(
        [
          [0, well],
          [2, "unknown"],
        ],
        30,
      ).drafts,
    ).toEqual([]);
    expect(play(trouble, 30, () => ({ components: [{ ...CHECKOUT, hidden: true }] })).drafts).toEqual([]);
  });
});
