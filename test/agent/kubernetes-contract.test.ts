/**
 * What the agent relies on in a Kubernetes API, tried against the in-process server and, where KUBECONFIG names one,
 * against a real one too (in the namespace KUBERNETES_TEST_NAMESPACE, "observatory-contract" by default, which must
 * exist and which the configured user must own). A behaviour that stands here is one the in-process server must have.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEPLOYMENTS, type Deployment } from "../../agent/kubernetes/objects.ts";
import type { WatchType } from "../../agent/kubernetes/watch.ts";
import { until } from "./cluster.ts";
import { call, type Answer } from "./kubernetes-calls.ts";
import { worlds, type World } from "./kubernetes-worlds.ts";

describe.each(worlds)("$name", (world) => {
  let it_: Awaited<ReturnType<World["start"]>>;
  let path = "";
  beforeAll(async () => {
    it_ = await world.start();
    path = `/apis/apps/v1/namespaces/${it_.namespace}/deployments`;
  });
  afterAll(async () => {
    it_.client?.close();
    await it_.stop();
  });

  const MERGE = "application/merge-patch+json";
  const patch = (name: string, body: object | string, type = MERGE): Promise<Answer> =>
    call(it_.access, "PATCH", `${path}/${name}`, body, type);
  const meta = (
    answer: Answer,
  ): { resourceVersion: string; generation: number; annotations?: Record<string, string> } =>
    answer.body["metadata"] as { resourceVersion: string; generation: number };
  const get = (name: string): Promise<Answer> => call(it_.access, "GET", `${path}/${name}`);
  /** Until the controllers have nothing more to say about it. */
  const quiet = async (name: string): Promise<Answer> => {
    let last = "";
    let answer = await get(name);
    while (last !== meta(answer).resourceVersion) {
      last = meta(answer).resourceVersion;
      await new Promise((resolve) => setTimeout(resolve, 300));
      answer = await get(name);
    }
    return answer;
  };

  it("refuses without a token, or with a wrong one, in the form of a Status", async () => {
    const wrong = await call(
      {
        ...it_.access,
        headers: { authorization: "Bearer wrong" },
        tls: it_.access.tls.ca === undefined ? {} : { ca: it_.access.tls.ca },
      },
      "GET",
      path,
    );
    expect(wrong.status).toBe(401);
    expect(wrong.body).toMatchObject({
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      message: "Unauthorized",
      reason: "Unauthorized",
      code: 401,
    });
  });

  it("refuses what no rule grants with Forbidden, and a rule with names grants those names alone", async () => {
    const limited = (method: string, at: string, body?: object): Promise<Answer> =>
      call(it_.limited, method, at, body, body === undefined ? undefined : MERGE);
    let granted = 0;
    const look = async (): Promise<void> => void (granted = (await limited("GET", `${path}/two`)).status);
    await until(() => (void look(), granted === 200), 20_000);
    const refused = await limited("PATCH", `${path}/two`, { metadata: { annotations: { refused: "1" } } });
    expect(refused.body).toMatchObject({
      kind: "Status",
      status: "Failure",
      code: 403,
      reason: "Forbidden",
      message: expect.stringMatching(
        /^deployments\.apps "two" is forbidden: User ".+" cannot patch resource "deployments" in API group "apps" in the namespace/,
      ),
      details: { name: "two", group: "apps", kind: "deployments" },
    });
    expect(meta(await get("two")).annotations ?? {}).not.toHaveProperty("refused");
    expect((await limited("GET", `${path}/one`)).status).toBe(403);
    expect((await limited("GET", path)).status).toBe(403);
    expect((await limited("GET", `${path}?watch=true&timeoutSeconds=1`)).status).toBe(403);
  });

  it("answers for what is not there with NotFound and its details", async () => {
    expect((await get("none")).body).toMatchObject({
      kind: "Status",
      code: 404,
      reason: "NotFound",
      message: 'deployments.apps "none" not found',
      details: { name: "none", group: "apps", kind: "deployments" },
    });
    expect(await call(it_.access, "GET", `/apis/nothing.invalid/v1/namespaces/${it_.namespace}/things`)).toMatchObject({
      status: 404,
    });
  });

  it("raises generation by a change of the spec, and of a deployment's annotations, and the controller observes both", async () => {
    const before = await quiet("two");
    const annotated = await patch("two", { metadata: { annotations: { a: "1" } } });
    expect(meta(annotated).generation).toBe(meta(before).generation + 1);
    const scaled = await patch("two", { spec: { replicas: 1 } });
    expect(meta(scaled).generation).toBe(meta(before).generation + 2);
    const after = await quiet("two");
    expect(after.body["status"]).toMatchObject({ observedGeneration: meta(before).generation + 2 });
    await patch("two", { metadata: { annotations: { a: null } }, spec: { replicas: 0 } });
    expect(meta(await quiet("two")).annotations ?? {}).not.toHaveProperty("a");
  });

  it("keeps the version where a patch changes nothing, and raises it where one does", async () => {
    await patch("two", { metadata: { annotations: { b: "1" } } });
    const before = await quiet("two");
    expect(meta(await patch("two", { metadata: { annotations: { b: "1" } } })).resourceVersion).toBe(
      meta(before).resourceVersion,
    );
    const after = await patch("two", { metadata: { annotations: { b: "2" } } });
    expect(Number(meta(after).resourceVersion)).toBeGreaterThan(Number(meta(before).resourceVersion));
  });

  it("answers 409 Conflict to a patch with a stale version, and writes nothing of it", async () => {
    const before = await quiet("two");
    await patch("two", { metadata: { annotations: { c: randomBytes(4).toString("hex") } } });
    const stale = await patch("two", {
      metadata: { resourceVersion: meta(before).resourceVersion, annotations: { d: "1" } },
      spec: { replicas: 5 },
    });
    expect(stale.body).toMatchObject({
      kind: "Status",
      code: 409,
      reason: "Conflict",
      details: { name: "two", group: "apps", kind: "deployments" },
    });
    const now = await quiet("two");
    expect(now.body["spec"]).toMatchObject({ replicas: 0 });
    expect(meta(now).annotations).not.toHaveProperty("d");
  });

  it("answers 422 Invalid with its causes, 415 to unknown types, 400 to what is no patch", async () => {
    expect((await patch("two", { spec: { replicas: -1 } })).body).toMatchObject({
      code: 422,
      reason: "Invalid",
      details: { name: "two", causes: [{ reason: "FieldValueInvalid", field: "spec.replicas" }] },
    });
    expect((await patch("two", "{}", "application/json")).body).toMatchObject({
      code: 415,
      reason: "UnsupportedMediaType",
    });
    expect((await patch("two", "[")).status).toBe(400);
  });

  it("says in managedFields who set the replicas", async () => {
    const answer = await call(
      it_.access,
      "PATCH",
      `${path}/three?fieldManager=observatory-agent`,
      { spec: { replicas: 1 } },
      MERGE,
    );
    const fields = (
      answer.body["metadata"] as { managedFields: { manager: string; fieldsV1: { "f:spec"?: object } }[] }
    ).managedFields;
    expect(
      fields.filter(({ fieldsV1 }) => "f:replicas" in (fieldsV1["f:spec"] ?? {})).map(({ manager }) => manager),
    ).toEqual(["observatory-agent"]);
    await patch("three", { spec: { replicas: 0 } });
  });

  it("lists in pages of one version", async () => {
    type List = {
      metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
      items: { metadata: { name: string } }[];
    };
    const first = (await call(it_.access, "GET", `${path}?limit=2`)).body as unknown as List;
    expect(first.items).toHaveLength(2);
    expect(first.metadata.remainingItemCount).toBe(1);
    const token = encodeURIComponent(first.metadata.continue ?? "");
    const second = (await call(it_.access, "GET", `${path}?limit=2&continue=${token}`)).body as unknown as List;
    expect(second.metadata).toMatchObject({ resourceVersion: first.metadata.resourceVersion });
    expect([...first.items, ...second.items].map(({ metadata }) => metadata.name).toSorted()).toEqual([
      "one",
      "three",
      "two",
    ]);
    expect((second.metadata.continue ?? "") === "").toBe(true);
  });

  it("makes the pods that a deployment asks for", async () => {
    const pods = `/api/v1/namespaces/${it_.namespace}/pods?labelSelector=${encodeURIComponent("app=one")}`;
    let items: { metadata: { ownerReferences: { kind: string }[]; labels: Record<string, string> } }[] = [];
    const look = async (): Promise<void> =>
      void (items = (await call(it_.access, "GET", pods)).body["items"] as typeof items);
    await look();
    await until(() => (void look(), items.length === 1));
    expect(items[0]?.metadata.ownerReferences[0]?.kind).toBe("ReplicaSet");
    expect(items[0]?.metadata.labels).toHaveProperty("pod-template-hash");
  });

  it("is watched from a list's version on: every change, in order, to the end that was asked for", async (context) => {
    const { client, namespace } = it_;
    if (client === null) return context.skip("a user with a client certificate has no token for the agent's client");
    await quiet("three");
    const listed = await client.list(DEPLOYMENTS, namespace);
    if (!listed.ok) throw new Error(listed.failure.message);
    const seen: [WatchType, Deployment][] = [];
    const watching = client.watch(DEPLOYMENTS, namespace, {
      resourceVersion: listed.value.resourceVersion,
      timeoutSeconds: 2,
      silenceMs: 10_000,
      onChange: (type, object) => void seen.push([type, object]),
      onSign: () => {},
      signal: new AbortController().signal,
    });
    await patch("three", { metadata: { annotations: { watched: "1" } } });
    await patch("three", { metadata: { annotations: { watched: "2" } } });
    const ended = await watching;
    expect(ended.end).toBe("closed");
    const values = seen
      .filter(([, object]) => object.metadata.name === "three")
      .map(([, object]) => object.metadata.annotations["watched"]);
    expect([...new Set(values)]).toEqual(["1", "2"]);
    expect(Number(ended.resourceVersion)).toBeGreaterThan(Number(listed.value.resourceVersion));
    // Resumed from an older version that is still there, the changes come again.
    const again: string[] = [];
    const resumed = {
      resourceVersion: listed.value.resourceVersion,
      timeoutSeconds: 1,
      silenceMs: 10_000,
      onSign: () => {},
      signal: new AbortController().signal,
    };
    await client.watch(DEPLOYMENTS, namespace, { ...resumed, onChange: (type) => void again.push(type) });
    expect(again.length).toBeGreaterThanOrEqual(2);
  });

  it("tells which versions of a group it serves, and 404 for one that is not installed", async () => {
    const autoscaling = await call(it_.access, "GET", "/apis/autoscaling");
    expect(autoscaling.body).toMatchObject({ kind: "APIGroup", name: "autoscaling" });
    const versions = (autoscaling.body["versions"] as { version: string }[]).map(({ version }) => version);
    expect(versions.some((version) => ["v2", "v2beta2"].includes(version))).toBe(true);
    expect((await call(it_.access, "GET", "/apis/nothing.invalid")).status).toBe(404);
  });

  it("lists warnings alone where asked to, and a watch of them knows the same choice", async () => {
    const path = `/api/v1/namespaces/${it_.namespace}/events?fieldSelector=${encodeURIComponent("type=Warning")}`;
    const { status, body } = await call(it_.access, "GET", path);
    expect([status, body["kind"]]).toEqual([200, "EventList"]);
    for (const event of body["items"] as { type: string }[]) expect(event.type).toBe("Warning");
  });

  it("says of its own caller what that may do", async () => {
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const resourceAttributes = { namespace: it_.namespace, verb: "list", group: "apps", resource: "deployments" };
    const { status, body } = await call(it_.access, "POST", path, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ spec: { resourceAttributes }, status: { allowed: true } });
  });

  describe("a Lease", () => {
    const spec = (second: string) => ({
      holderIdentity: "one",
      leaseDurationSeconds: 15,
      renewTime: `2026-11-23T01:00:${second}`,
    });
    const leases = (): string => `/apis/coordination.k8s.io/v1/namespaces/${it_.namespace}/leases`;
    const put = async (metadata: object, written: object): Promise<Answer> =>
      call(it_.access, "PUT", `${leases()}/observatory-contract`, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "observatory-contract", namespace: it_.namespace, ...metadata },
        spec: written,
      });

    it("is written once a version: the second writer is told 409 Conflict", async () => {
      const read = await call(it_.access, "GET", `${leases()}/observatory-contract`);
      const { resourceVersion } = meta(read);
      const first = await put({ resourceVersion }, spec("05.123000Z"));
      expect([first.status, first.body["spec"]]).toMatchObject([200, { holderIdentity: "one" }]);
      expect(meta(first).resourceVersion).not.toBe(resourceVersion);
      expect((await put({ resourceVersion }, spec("06.123000Z"))).body).toMatchObject({
        code: 409,
        reason: "Conflict",
      });
    });

    it("wants six digits of a second, and is made once", async () => {
      expect((await put({}, spec("05.123Z"))).status).toBe(400);
      const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "observatory-contract" } };
      expect((await call(it_.access, "POST", leases(), body)).body).toMatchObject({
        code: 409,
        reason: "AlreadyExists",
      });
    });
  });

  it("ends a watch from a version that is too old with 410, as a status or as an event", async (context) => {
    const { client, namespace } = it_;
    if (client === null) return context.skip("a user with a client certificate has no token for the agent's client");
    const options = {
      resourceVersion: "1",
      timeoutSeconds: 1,
      silenceMs: 10_000,
      onChange: () => {},
      onSign: () => {},
      signal: new AbortController().signal,
    };
    expect((await client.watch(DEPLOYMENTS, namespace, options)).end).toBe("expired");
  });
});
