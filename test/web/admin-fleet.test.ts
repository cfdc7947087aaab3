import { describe, expect, it } from "vitest";
import { renderClusterNew, renderEnrolment } from "../../web/view/admin/cluster-new.ts";
import { renderKeys } from "../../web/view/admin/cluster-keys.ts";
import { renderLeases } from "../../web/view/admin/cluster-leases.ts";
import { EVENT_GROUPS, EVENT_WORDS, kindsOf } from "../../web/view/admin/event-words.ts";
import type { KeyModel } from "../../web/view/admin/fleet-model.ts";
import type { EventGroup } from "../../web/view/admin/event-words.ts";
import { renderEvents } from "../../web/view/admin/events.ts";
import { confirmsFingerprint } from "../../worker/core/identity.ts";
import { EVENTS, FINGERPRINT, KEYS, LEASES } from "./admin-fleet-models.ts";
import { cluster, FRAME } from "./admin-models.ts";
import { NOW } from "./snapshots.ts";

const text = (page: string): string =>
  page
    .replace(/<script.*?<\/script>|<style>.*?<\/style>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

describe("a fingerprint is confirmed", () => {
  it.each([
    ["by all of it", FINGERPRINT, true],
    ["by its beginning, however it is spelt", "3F9A 07C1 55de:90b2", true],
    ["without its colons", FINGERPRINT.replaceAll(":", ""), true],
    ["not by less than four groups", "3f9a:07c1:55de:90b", false],
    ["not by nothing", "", false],
    ["not by its end", FINGERPRINT.slice(-39), false],
    ["not by another's", FINGERPRINT.replace("07c1", "07c2"), false],
    ["not by it and more", `${FINGERPRINT}:0000`, false],
    ["not by what is around it in a log", `fingerprint ${FINGERPRINT}`, false],
  ])("%s", (_name, typed, isConfirmed) => expect(confirmsFingerprint(typed, FINGERPRINT)).toBe(isConfirmed));
});

describe("the page of keys", () => {
  it("asks for what the agent prints before it lets one in, and says what a revocation does", () => {
    const page = renderKeys(KEYS, FRAME);
    expect(page).toMatch(/action="\/admin\/clusters\/eu-1\/accept"><input type="hidden" name="keyId" value="New2">/);
    expect(page).toMatch(/name="fingerprint" required/);
    expect(text(page)).toContain("kubectl -n observatory logs deploy/observatory-agent | grep fingerprint");
    expect(text(page)).toContain("It is the only one: the components of eu-1 become unknown at once");
    const two = [...KEYS.keys, { keyId: "B", fingerprint: FINGERPRINT, state: "active" as const, createdAt: NOW }];
    expect(text(renderKeys({ ...KEYS, keys: two }, FRAME))).toContain("Another key goes on speaking for eu-1.");
  });

  it("keeps what was typed with the key that it was typed for", () => {
    const fault = { field: "fingerprint", message: "This is not the key that asks." };
    const other = { keyId: "New4", fingerprint: FINGERPRINT, state: "pending" as const, createdAt: NOW };
    const form = { values: { keyId: "New2", fingerprint: "abcd" }, faults: [fault] };
    const page = renderKeys({ ...KEYS, keys: [...KEYS.keys, other], form }, FRAME);
    expect(page.match(/aria-invalid="true"/g)).toHaveLength(1);
    expect(page).toMatch(/id="fingerprint-New2"[^>]* value="abcd" aria-invalid="true"/);
    expect(page).toMatch(/id="fingerprint-New4"[^>]* value=""/);
  });

  it.each<[string, Partial<KeyModel>, RegExp]>([
    ["in use", {}, /in use/],
    ["asked for", { rotateAskedAt: NOW - 120_000 }, /in use; its agent was asked for another one 2 min ago/],
    ["in its overlap", { retiresAt: NOW + 3_600_000 }, /replaced, and works until 15:02 UTC/],
    ["at its end", { retiresAt: NOW }, / replaced Sun/],
    ["taken away after its time", { retiresAt: NOW - 1, state: "revoked" }, / replaced Sun/],
    ["that took another's place", { replaces: "Old1" }, /in use in place of 309a:07c1…/],
  ])("says of a key %s how it is", (_name, facts, said) => {
    const [old, one] = KEYS.keys;
    if (old === undefined || one === undefined) throw new Error("no keys");
    const page = text(renderKeys({ ...KEYS, keys: [old, { ...one, fingerprint: "30aa:07c1", ...facts }] }, FRAME));
    expect(page.replace(/.*Fingerprint State Since Change/, "")).toMatch(said);
  });

  it("offers a replacement only where the agent knows how, and once", () => {
    expect(renderKeys(KEYS, FRAME)).toContain('action="/admin/clusters/eu-1/rotate"');
    const deaf = renderKeys({ ...KEYS, canRotate: false }, FRAME);
    expect(deaf).not.toContain("/rotate");
    expect(text(deaf)).toContain("Let it join anew with a code, then revoke this key.");
    const asked = KEYS.keys.map((key) => ({ ...key, rotateAskedAt: NOW }));
    expect(renderKeys({ ...KEYS, keys: asked }, FRAME)).not.toContain("/rotate");
  });

  it("says what to do with nobody there", () =>
    expect(text(renderKeys({ ...KEYS, keys: [] }, FRAME))).toMatch(/No key is in use.*Make a new code/));
});

it("what lets a cluster join is shown with what comes next", () => {
  const page = text(renderEnrolment({ cluster: "eu-3", yaml: "code: ABC", expiresAt: NOW + 900_000 }, FRAME));
  expect(page).toMatch(
    /works once, until 14:17 UTC, and is not shown again\..*code: ABC.*helm install observatory-agent/,
  );
});

it("a lease's history is in the order in which it happened", () => {
  const page = text(renderLeases(LEASES, FRAME));
  expect(page).toMatch(
    /Database upgrade shop\/checkout scale to 1 13:42:39 UTC issued, until 17:42 UTC 13:42:46 UTC taken in by the agent 13:42:46 UTC applied, 1 of 1 ready as wanted Mia/,
  );
  expect(page).toMatch(
    /forbidden shop\/ledger is not in the agent&#39;s leases\.targets .*ended by somebody before its time/,
  );
  expect(page).toContain("3 older are not shown.");
});

it("pods that still run, though they are not wanted, are not “3 of 1”", () => {
  const history = LEASES.history.map((lease) => ({
    ...lease,
    results: lease.results.map((result) => ({ ...result, evidence: { replicas: 1, ready: 3 } })),
  }));
  expect(text(renderLeases({ ...LEASES, history }, FRAME))).toContain("applied, 3 ready and 1 wanted");
});

describe("events", () => {
  it("are told in the agent's own sentence where it has one", () => {
    const page = text(renderEvents(EVENTS, FRAME));
    expect(page).toContain("Error ratio of shop/cart is 30 %, where 0 % to 1.3 % is usual.");
    expect(page).not.toContain("observed 30");
    expect(page).toContain("issuer Demo CA · notAfter Sat 28 Nov 14:02 UTC · chain 2 ");
    expect(page).toContain("Facts were lost");
  });

  it("that cannot be read are not none", () => {
    expect(text(renderEvents({ ...EVENTS, events: null, older: null }, FRAME))).toContain("History cannot be read");
    expect(text(renderEvents({ ...EVENTS, events: [], form: { values: {}, faults: [] } }, FRAME))).toContain(
      "No event yet",
    );
  });

  it("belong to one group each", () => {
    const grouped = (Object.keys(EVENT_GROUPS) as EventGroup[]).flatMap((group) => kindsOf(group));
    expect(grouped.toSorted()).toEqual(Object.keys(EVENT_WORDS).toSorted());
    expect(kindsOf(null)).toHaveLength(grouped.length - kindsOf("mesh").length);
  });
});

describe("hostile text", () => {
  const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;
  const one = cluster({ name: EVIL });
  const wild = LEASES.history.map((lease) => ({
    ...lease,
    id: EVIL,
    name: EVIL,
    service: EVIL,
    by: EVIL,
    results: lease.results.map((result) => ({ ...result, reason: EVIL })),
  }));
  it.each([
    [
      "keys",
      renderKeys(
        {
          ...KEYS,
          cluster: one,
          keys: KEYS.keys.map((key) => ({ ...key, keyId: EVIL, fingerprint: EVIL })),
          form: { values: { keyId: EVIL, fingerprint: EVIL }, faults: [{ field: "fingerprint", message: EVIL }] },
        },
        FRAME,
      ),
    ],
    ["leases", renderLeases({ ...LEASES, cluster: one, history: wild }, FRAME)],
    [
      "events",
      renderEvents(
        {
          ...EVENTS,
          form: { values: { cluster: EVIL, from: EVIL }, faults: [{ field: "from", message: EVIL }] },
          clusters: [EVIL],
          components: [{ id: EVIL, name: EVIL }],
          events: [{ cluster: EVIL, at: NOW, kind: "certificate.seen", subject: EVIL, body: { a: EVIL, b: [EVIL] } }],
          older: `/admin/events?x=${EVIL}`,
        },
        FRAME,
      ),
    ],
    [
      "a form",
      renderClusterNew({ form: { values: { name: EVIL, prometheus: EVIL, namespaces: EVIL }, faults: [] } }, FRAME),
    ],
    ["a code", renderEnrolment({ cluster: EVIL, yaml: EVIL, expiresAt: NOW }, FRAME)],
  ])("stays text on the page of %s", (_name, page) => {
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img|onerror='/);
  });
});
