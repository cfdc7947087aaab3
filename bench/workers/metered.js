/**
 * The edge with a meter around it, which counts what Cloudflare bills from the outside: requests, calls of objects, rows,
 * alarms, and what goes to Postgres. It outlives the objects, which forget when they leave memory.
 *
 *   GET /__counts      everything so far
 *   POST /__scheduled  what the cron does each minute
 */
import * as edge from "edge.js";

const counts = { workerRequests: 0, statements: 0, statementBytes: 0, answerBytes: 0, statementMs: 0, objects: {} };
/** Cursors whose rows are not counted yet: a cursor knows them once it was read. */
const cursors = [];

function countsOf(name) {
  return (counts.objects[name] ??= { wakes: 0, calls: {}, rowsWritten: 0, rowsRead: 0, alarmsSet: 0, busyMs: 0 });
}

function settle() {
  for (const { cursor, object } of cursors.splice(0)) {
    object.rowsWritten += cursor.rowsWritten;
    object.rowsRead += cursor.rowsRead;
  }
}

function metered(Base, name) {
  const object = countsOf(name);
  class Metered extends Base {
    constructor(ctx, env) {
      object.wakes++;
      const { storage } = ctx;
      const { sql } = storage;
      const exec = sql.exec.bind(sql);
      const setAlarm = storage.setAlarm.bind(storage);
      Object.defineProperty(sql, "exec", {
        value: (...args) => {
          settle();
          const cursor = exec(...args);
          cursors.push({ cursor, object });
          return cursor;
        },
      });
      Object.defineProperty(storage, "setAlarm", {
        value: (...args) => {
          object.alarmsSet++;
          return setAlarm(...args);
        },
      });
      super(ctx, env);
    }
  }
  for (const method of Object.getOwnPropertyNames(Base.prototype)) {
    if (method === "constructor" || typeof Base.prototype[method] !== "function") continue;
    Object.defineProperty(Metered.prototype, method, {
      configurable: true,
      async value(...args) {
        object.calls[method] = (object.calls[method] ?? 0) + 1;
        const since = performance.now();
        try {
          return await Base.prototype[method].apply(this, args);
        } finally {
          object.busyMs += performance.now() - since;
        }
      },
    });
  }
  return Metered;
}

const fetchPlainly = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  counts.statements++;
  counts.statementBytes += typeof init?.body === "string" ? init.body.length : 0;
  const since = performance.now();
  try {
    const response = await fetchPlainly(input, init);
    counts.answerBytes += Number(response.headers.get("content-length") ?? 0);
    return response;
  } finally {
    counts.statementMs += performance.now() - since;
  }
};

export const Cluster = metered(edge.Cluster, "Cluster");
export const Board = metered(edge.Board, "Board");
export const Relay = metered(edge.Relay, "Relay");
export const Throttle = edge.Throttle;

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/__counts") {
      settle();
      return Response.json(counts);
    }
    if (pathname === "/__scheduled") {
      await edge.default.scheduled({ scheduledTime: Date.now(), cron: "* * * * *" }, env, ctx);
      return new Response();
    }
    counts.workerRequests++;
    return edge.default.fetch(request, env, ctx);
  },
};
