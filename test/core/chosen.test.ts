import { describe, expect, it } from "vitest";
import { CHOSEN_MAX, chosenIds, chosenSnapshot } from "../../worker/core/chosen.ts";
import { chosenScope, within } from "../../web/view/feed/scope.ts";
import { announced, incident, resolved, update } from "../web/announcements.ts";
import { healthy, NOW } from "../web/snapshots.ts";

const [a, b, c] = ["component000", "component001", "component008"] as const;

describe("the address of an own view", () => {
  it.each([
    ["in order", `${a},${b}`, [a, b]],
    ["in another order", `${b},${a}`, [a, b]],
    ["with one twice", `${b},${a},${b}`, [a, b]],
    ["with what is no id", `${a},,x,../..,COMPONENT001`, [a]],
    ["of nothing", "", null],
    ["of nonsense", "<script>", null],
  ])("%s has one form", (_name, text, ids) => expect(chosenIds(text)).toEqual(ids));

  it("is read no further than its bound", () => {
    const many = Array.from({ length: CHOSEN_MAX + 50 }, (_, i) => `c${String(i).padStart(11, "0")}`);
    expect(chosenIds(many.join())).toHaveLength(CHOSEN_MAX);
  });
});

describe("what was chosen", () => {
  const everybodys = incident({
    id: "everybody001",
    components: [],
    updates: [update("update000009", "investigating", "Nobody can sign in.", NOW)],
  });
  const log = { version: 7, incidents: [incident(), everybodys, resolved(3)], maintenances: [announced()] };
  const metric = { name: "p95", kind: "p95", from: 0, stepMs: 1, values: [] } as const;
  const metrics = [
    { ...metric, id: "metric000001", component: null },
    { ...metric, id: "metric000002", component: b },
    { ...metric, id: "metric000003", component: c },
  ];
  const snapshot = { ...healthy(), ...log, metrics };

  it.each([
    [[a], ["everybody001"], ["announced001"], []],
    [[b], ["incident0001", "everybody001"], [], ["metric000002"]],
    [[b, c], ["incident0001", "everybody001"], ["announced001"], ["metric000002", "metric000003"]],
  ])("%j comes with its own announcements and charts, and with no others", (ids, incidents, maintenances, charts) => {
    const view = chosenSnapshot(snapshot, ids);
    expect(view?.components.map(({ id }) => id)).toEqual(ids);
    expect(view?.metrics?.map(({ id }) => id)).toEqual(charts);
    expect(view?.incidents?.map(({ id }) => id)).toEqual(incidents);
    expect(view?.maintenances.map(({ id }) => id)).toEqual(maintenances);
    const scope = chosenScope(snapshot.components, ids, `/view/${ids.join()}`);
    expect(scope && within([...log.incidents, ...log.maintenances], scope).map(({ id }) => id)).toEqual([
      ...incidents,
      ...maintenances,
    ]);
  });

  it("leaves out what is shown no more, and is nothing if nothing is left", () => {
    expect(chosenSnapshot(snapshot, [a, "gone00000000"])?.components).toHaveLength(1);
    expect(chosenSnapshot(snapshot, ["gone00000000"])).toBeNull();
  });

  it("is not said to have no incidents where an earlier version did not know of any", () =>
    expect(chosenSnapshot(healthy(), [a])).not.toHaveProperty("incidents"));
});
