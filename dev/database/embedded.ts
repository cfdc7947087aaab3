/**
 * PGlite behind Postgres' wire protocol, so that `pg`, `psql` and the endpoint speak to it as to a server.
 *
 * PGlite is one backend, and a backend has one conversation. `@electric-sql/pglite-socket` hands it message by message,
 * so with two clients the Parse of one meets the Bind of the other, and a statement runs with foreign parameters.
 * Here a client holds the backend from its first message until ReadyForQuery says "idle": whole statements, whole
 * transactions, one client after the other.
 *
 *   int32 length · int32 code · …          the first message of a connection
 *   byte type · int32 length · …           every other one; the length counts itself
 */
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";

/** Bytes a client may send ahead of its turn. */
const BUFFER_BYTES_MAX = 32 * 1_048_576;
const CONNECTIONS_MAX = 32;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;

export interface Embedded {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Opens the database in `dataDir` (in memory without it) and listens on 127.0.0.1. Fails if another process has it
 * open: PGlite does not look, and two of them would ruin the files.
 */
export async function startEmbedded(options: { readonly dataDir?: string; readonly port?: number }): Promise<Embedded> {
  const unlock = options.dataDir === undefined ? () => {} : lock(options.dataDir);
  // PGlite turns fsync off ("-F"), and its file system does not do it when told to: WAL files opened with O_SYNC are
  // the way that reaches the disk (seen with strace). Data files stay with the kernel: a killed process loses nothing,
  // a lost power supply may.
  const startParams = [
    ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
    "-c",
    "wal_sync_method=open_datasync",
  ];
  const backend = await PGlite.create({
    ...(options.dataDir === undefined ? {} : { dataDir: join(options.dataDir, "cluster") }),
    startParams,
    relaxedDurability: false,
  });
  const turns = new Turns();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, backend, turns);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await turns.take();
      await backend.close();
      unlock();
    },
  };
}

/** A lock of the operating system by way of SQLite: it dies with its holder, however that dies. */
function lock(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true });
  const file = new DatabaseSync(join(dataDir, "lock"));
  try {
    file.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    file.close();
    throw new Error(`${dataDir} is open in another process`, { cause: error });
  }
  return () => file.close();
}

/** Who may speak to the backend: first come, first served. */
class Turns {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves, when it is the caller's turn, to the function that ends it. */
  async take(): Promise<() => void> {
    const before = this.#tail;
    let end = () => {};
    this.#tail = new Promise((resolve) => (end = resolve));
    await before;
    return end;
  }
}

/** Bytes as they come, messages as they are whole. */
class Frames {
  /** Messages have a type from the first one on that starts a session. */
  started = false;
  #buffer = Buffer.alloc(0);

  /** False if the client sends more than it may. */
  add(bytes: Buffer): boolean {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    return this.#buffer.length <= BUFFER_BYTES_MAX;
  }

  next(): Buffer | null {
    const at = this.started ? 1 : 0;
    if (this.#buffer.length < at + 4) return null;
    // A length that is too small still moves on, and PGlite says what it thinks of the message.
    const length = at + Math.max(4, this.#buffer.readInt32BE(at));
    if (this.#buffer.length < length) return null;
    const message = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return message;
  }
}

/** One connection. Bytes come in, whole conversations go to the backend, its words go out as they come. */
function serve(socket: Socket, backend: PGlite, turns: Turns): void {
  const frames = new Frames();
  let pending: Buffer[] = [];
  let endTurn: (() => void) | null = null;
  let work: Promise<void> = Promise.resolve();

  const forward = async (messages: Buffer): Promise<void> => {
    endTurn ??= await turns.take();
    let tail: Uint8Array = new Uint8Array(0);
    await backend.execProtocolRawStream(messages, {
      onRawData: (bytes) => {
        tail =
          bytes.length >= READY_BYTES ? bytes.slice(-READY_BYTES) : Buffer.concat([tail, bytes]).subarray(-READY_BYTES);
        if (socket.writable) socket.write(bytes.slice());
      },
    });
    if (!isIdle(tail)) return;
    endTurn();
    endTurn = null;
  };
  const release = async (): Promise<void> => {
    if (endTurn === null) return;
    // The client left within a transaction or between two messages: Sync ends the one, ROLLBACK the other.
    await backend.execProtocolRaw(SYNC);
    await backend.exec("ROLLBACK");
    endTurn();
    endTurn = null;
  };
  const enqueue = (step: () => Promise<void>): void => {
    work = work.then(step).catch(() => void socket.destroy());
  };
  socket.on("error", () => socket.destroy());
  socket.on("close", () => enqueue(release));
  socket.on("data", (bytes) => {
    if (!frames.add(bytes)) return void socket.destroy();
    for (let message = frames.next(); message !== null; message = frames.next()) take(message);
  });

  function take(message: Buffer): void {
    if (!frames.started) {
      const code = message.length >= 8 ? message.readInt32BE(4) : 0;
      if (code === SSL_REQUEST || code === GSS_REQUEST) return void socket.write("N");
      if (code === CANCEL_REQUEST) return void socket.end();
      frames.started = true;
      return enqueue(() => forward(message));
    }
    const type = String.fromCharCode(message[0] ?? 0);
    if (type === "X") return void socket.end();
    pending.push(message);
    // Query, Sync and Flush are where a client stops to listen.
    if (type !== "Q" && type !== "S" && type !== "H") return;
    const messages = Buffer.concat(pending);
    pending = [];
    enqueue(() => forward(messages));
  }
}

const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
/** ReadyForQuery: "Z", length 5, and "I" outside of a transaction. */
const READY_BYTES = 6;

function isIdle(tail: Uint8Array): boolean {
  return Buffer.from(tail).equals(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]));
}
