/** Replaces the agent's key when the edge asks for it: the next key is shown by the key in use, and takes its place. */
import * as v from "valibot";
import { rotationMessage, type Rotate } from "../protocol/agent.ts";
import { agentPath, ROTATE_PATH } from "../protocol/path.ts";
import { EnrolledSchema } from "../protocol/push.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { parseJson, request } from "./http.ts";
import { saveEnrolment, signedHeaders, type Keyring } from "./identity.ts";
import type { PostOptions } from "./transport.ts";
import type { Log } from "./log.ts";

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 16_384;
/** The edge asks with every receipt until it is done: after a failure it is tried again no sooner, ms. */
const RETRY_MS = 60_000;

export interface RotationOptions extends Omit<PostOptions, "identity"> {
  readonly keyring: Keyring;
  readonly dataDir: string;
  /** The new key is in use. */
  readonly onRotated: () => void;
  readonly log: Log;
}

export class Rotation {
  readonly #options: RotationOptions;
  #isRunning = false;
  #restsUntil = 0;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** The edge asks for it. What is under way or failed a moment ago is not begun again. */
  ask(): void {
    if (this.#isRunning || performance.now() < this.#restsUntil) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    const { keyring, log, onRotated } = this.#options;
    const fault = await this.#replace().catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    if (fault !== null) {
      this.#restsUntil = performance.now() + RETRY_MS;
      return log("warn", "the key could not be replaced; the one in use stays", { reason: fault });
    }
    log("info", "the key was replaced; the one before it ends within a day", { fingerprint: keyring.fingerprint });
    onRotated();
  }

  /** Null once the next key is in use; else why it is not. */
  async #replace(): Promise<string | null> {
    const { keyring, dataDir, cluster, edge, clock } = this.#options;
    const next = keyring.next();
    const proof = next.sign(rotationMessage(cluster, keyring.keyId, next.publicKey));
    const message: Rotate = { v: PROTOCOL_VERSION, publicKey: next.publicKey, proof };
    const url = `${edge}${agentPath(ROTATE_PATH, cluster)}`;
    const body = Uint8Array.from(Buffer.from(JSON.stringify(message)));
    const headers = signedHeaders(keyring, url, body, clock.now());
    const answer = await request(url, { method: "POST", headers, body, timeoutMs: TIMEOUT_MS, bytesMax: BYTES_MAX });
    if (!answer.ok) return answer.failure;
    const taken = v.safeParse(EnrolledSchema, parseJson(answer.value.text));
    if (answer.value.status !== 200 || !taken.success || taken.output.keyId !== next.keyId)
      return `HTTP ${answer.value.status}`;
    // From this note on a start takes the next key, whatever becomes of its file's name.
    saveEnrolment(dataDir, { cluster, edge, keyId: next.keyId, state: "active" });
    keyring.adopt();
    return null;
  }
}
