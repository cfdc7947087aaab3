/** The baseline of a page that is made anew: a Worker that reads one row from an object and answers with it. */
import { DurableObject } from "cloudflare:workers";

export class Row extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, body TEXT)");
    ctx.storage.sql.exec("INSERT OR REPLACE INTO row VALUES (1, ?)", "All systems operational");
  }

  read() {
    return this.ctx.storage.sql.exec("SELECT body FROM row WHERE id = 1").one().body;
  }
}

export default {
  async fetch(_request, env) {
    const body = await env.ROW.getByName("row").read();
    return new Response(body, { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};
