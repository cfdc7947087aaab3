/** The network between an agent and the edge: a test counts what goes by, and breaks sessions without touching POSTs. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { PUSH_PATH, SESSION_PATH } from "../../protocol/path.ts";

/** What becomes of sessions: they pass; the edge's answers are lost and nobody hears of it; none comes through. */
type SessionFate = "pass" | "mute" | "cut";

export class Wire {
  readonly url: string;
  /** Pushes that went by as POST. */
  posts = 0;
  readonly #server: Server;
  readonly #sessions = new Set<Socket>();
  readonly #all = new Set<Socket>();
  #fate: SessionFate = "pass";

  private constructor(server: Server, edge: URL) {
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
    this.#server = server;
    server.on("connection", (agent) => this.#carry(agent, edge));
  }

  static async to(edge: string): Promise<Wire> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Wire(server, new URL(edge));
  }

  /** Holds for the sessions that are open and for those that come. */
  sessions(fate: SessionFate): void {
    this.#fate = fate;
    if (fate === "cut") for (const socket of this.#sessions) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#all) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #carry(agent: Socket, { hostname, port }: URL): void {
    const edge = connect(Number(port), hostname);
    let isSession = false;
    agent.on("data", (data: Buffer) => {
      // An agent writes the head of a request in one piece.
      const head = data.toString("latin1");
      if (head.startsWith(`POST ${PUSH_PATH}`)) this.posts++;
      if (head.startsWith(`GET ${SESSION_PATH}`)) isSession = true;
      if (isSession) this.#sessions.add(agent);
      if (isSession && this.#fate === "cut") return void agent.destroy();
      edge.write(data);
    });
    edge.on("data", (data: Buffer) => {
      if (!isSession || this.#fate === "pass") agent.write(data);
    });
    for (const [one, other] of [
      [agent, edge],
      [edge, agent],
    ] as const) {
      this.#all.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#all.delete(one);
        this.#sessions.delete(one);
        other.destroy();
      });
    }
  }
}
