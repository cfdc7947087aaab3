/**
 * The demo's door to the world: the public address that probes ask, in front of the entrance. What is wrong with it is
 * wrong outside the mesh, whose services go on answering the visitors that are inside already.
 */
import { createServer } from "node:http";
import { evenly, SLOW_MS, type Fault } from "./fault.ts";
import { close, listen, type Address, type Caller } from "./service.ts";

/** What faults call it, beside the services. */
export const DOOR = "door";

const PATIENCE_MS = 5_000;
/** Slower than any visitor waits for: a probe calls it slow. */
const SLOW_DOOR_MS = 2 * SLOW_MS.most;

export interface DoorOptions {
  readonly port: number;
  /** Null while it is not there. */
  readonly entrance: () => Address | null;
  /** How it calls the entrance: as the mesh's gateway. */
  readonly caller: Caller;
  readonly fault: () => Fault | null;
}

export interface Door {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startDoor({ port, entrance, caller, fault }: DoorOptions): Promise<Door> {
  const suffers = evenly();
  const answer = async (): Promise<number> => {
    const wrong = fault();
    const hit = wrong !== null && suffers(wrong.ratio);
    if (hit && wrong.mode === "failing") return 502;
    if (hit && wrong.mode === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_DOOR_MS));
    const to = entrance();
    return to === null ? 502 : ((await caller.call(to, "/", PATIENCE_MS)) ?? 504);
  };
  const server = createServer((request, response) => {
    request.resume();
    void answer().then((status) => response.writeHead(status, { "content-type": "text/plain" }).end(`${status}\n`));
  });
  const taken = await listen(server, port);
  return { url: `http://127.0.0.1:${taken}/`, stop: () => close(server) };
}
