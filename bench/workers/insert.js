/** The baseline of a push: a Worker, an object, one row. What the platform costs before we do anything. */
import { DurableObject } from "cloudflare:workers";

export class Insert extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, body BLOB)");
  }

  insert(body) {
    this.ctx.storage.sql.exec("INSERT INTO row (body) VALUES (?)", body);
  }
}

export default {
  async fetch(request, env) {
    const cluster = new URL(request.url).searchParams.get("cluster");
    await env.INSERT.getByName(cluster).insert(await request.arrayBuffer());
    return new Response("{}");
  },
};
