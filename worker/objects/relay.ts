/**
 * A shard of open pages. It holds hibernating sockets and passes frames on; it decides nothing. The newest frame it
 * keeps only in memory: what an eviction takes, the Board still knows.
 */
import { DurableObject } from "cloudflare:workers";
import type { Millis } from "../../protocol/time.ts";
import { SESSION_LIFETIME_MS } from "../core/access.ts";
import { networkOf, returnSpread } from "../core/crowd.ts";
import { shortHash } from "../core/hash.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";

/** Shards of the public page's sockets. A publish costs one call each, an object holds about 30,000 sockets. */
export const RELAY_SHARDS = 4;
/** The shard of the operators' pages: what it carries is not public. */
export const RELAY_ADMIN = "admin";

/** Where the public page listens. */
export const LIVE_PATH = "/live";

/** The hash of the session that a socket of operators belongs to; set by the route, which has checked it. */
export const SESSION_HEADER = "x-observatory-session";
const SESSION_OVER = 4401;

interface Attachment {
  /** When the session ends whatever happens; null for visitors. */
  readonly endsAt: Millis | null;
}

/** Open pages a shard: beyond it a page falls back to polling. */
const SOCKETS_MAX = 20_000;
/** Of them from one address, which may be a whole office: nobody alone takes a shard from everybody else. */
const SOCKETS_PER_ADDRESS_MAX = 500;
/** Of them from one session: the tabs of an operator. */
const SOCKETS_PER_SESSION_MAX = 50;

export class Relay extends DurableObject<Env> {
  #newest: string | null = null;
  /** Under way: a thousand pages that come back together ask the Board once. */
  #asking: Promise<string> | null = null;
  /** What all open pages were told last of how to come back; 0 if nothing, or not all the same. */
  #spreadMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** An upgrade. The route has checked who may listen. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 426 });
    const isPublic = new URL(request.url).pathname === LIVE_PATH;
    // Visitors have no session, whatever they say: the bounds are theirs.
    const session = isPublic ? null : request.headers.get(SESSION_HEADER);
    const tag = session ?? this.#addressTag(request);
    const isFull =
      this.ctx.getWebSockets().length >= SOCKETS_MAX ||
      this.ctx.getWebSockets(tag).length >= (session === null ? SOCKETS_PER_ADDRESS_MAX : SOCKETS_PER_SESSION_MAX);
    if (isFull) return new Response(null, { status: 503, headers: { "retry-after": "30" } });
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [tag]);
    const attachment: Attachment = { endsAt: session === null ? null : Date.now() + SESSION_LIFETIME_MS };
    server.serializeAttachment(attachment);
    // The page was rendered some seconds ago, and what changed between then and now was sent before it listened.
    if (isPublic) await this.#greet(server);
    if (session !== null) await this.#dropIfOver(session);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** It may have ended after the route looked and before this socket could be found to be cut. */
  async #dropIfOver(session: string): Promise<void> {
    try {
      if (!(await boardOf(this.env).isHeld(session))) await this.drop(session);
    } catch (error) {
      // A Board that is away ends no session either, and one of the release before cannot say.
      console.warn(JSON.stringify({ event: "session_unknown", error: String(error) }));
    }
  }

  /** No address is kept: what is kept tells two of them apart, in this shard only. */
  #addressTag(request: Request): string {
    const network = networkOf(request.headers.get("cf-connecting-ip") ?? "");
    return `address:${shortHash(`${this.ctx.id.toString()} ${network}`)}`;
  }

  async #greet(socket: WebSocket): Promise<void> {
    try {
      socket.send(this.#newest ?? (await this.#ask()));
      const spreadMs = this.#spreadNow();
      socket.send(spreadMessage(spreadMs));
      // Who came before was told that there are fewer: the next frame tells everybody.
      if (spreadMs !== this.#spreadMs) this.#spreadMs = 0;
    } catch (error) {
      // A page that opens while the Board is away has what it was rendered with, and hears of what comes.
      console.warn(JSON.stringify({ event: "greeting_failed", error: String(error) }));
    }
  }

  async #ask(): Promise<string> {
    this.#asking ??= boardOf(this.env)
      .liveFrame()
      .finally(() => (this.#asking = null));
    const frame = await this.#asking;
    // Published meanwhile is newer.
    return (this.#newest ??= frame);
  }

  #spreadNow(): number {
    return returnSpread(this.ctx.getWebSockets().length * RELAY_SHARDS);
  }

  /** Passes one frame to every open page; how many there are. */
  async publish(frame: string): Promise<number> {
    this.#newest = frame;
    const sockets = this.ctx.getWebSockets();
    const now = Date.now();
    const spreadMs = this.#spreadNow();
    const spread = spreadMs === this.#spreadMs ? null : spreadMessage((this.#spreadMs = spreadMs));
    for (const socket of sockets) {
      try {
        // Written by `fetch` above, and by nobody else.
        const { endsAt } = socket.deserializeAttachment() as Attachment;
        if (endsAt !== null && endsAt <= now) socket.close(SESSION_OVER, "the session is over");
        else socket.send(frame);
        if (spread !== null && endsAt === null) socket.send(spread);
      } catch {
        // It closed meanwhile; the page reconnects and reads the newest state.
      }
    }
    return sockets.length;
  }

  /** Closes what a session listens to. */
  async drop(session: string): Promise<void> {
    for (const socket of this.ctx.getWebSockets(session)) socket.close(SESSION_OVER, "the session is over");
  }

  /** Our half of the closing handshake: nobody else sends it, and the tab would wait until this object hibernates. */
  override async webSocketClose(socket: WebSocket): Promise<void> {
    socket.close(1000);
  }

  /** A page has nothing to say. One that talks is not one of ours. */
  override async webSocketMessage(socket: WebSocket): Promise<void> {
    socket.close(1008, "this socket only speaks");
  }
}

/** What `web/client/socket.ts` goes by once it is cut off. */
function spreadMessage(spreadMs: number): string {
  return JSON.stringify({ spreadMs });
}
