/** A WebSocket that comes back by itself, ever slower, and at no two readers' common moment. */
const DELAY_MAX_MS = 30_000;

export interface LiveSocket {
  isOpen(): boolean;
}

/** What was sent while it was not open is missed; the edge tells the whole state at each opening. */
export function openSocket<Message>(
  path: string,
  onMessage: (message: Message) => void,
  onOpen?: () => void,
): LiveSocket {
  let socket: WebSocket;
  let failures = 0;
  /** The edge says over how long its readers should spread their return: only it knows how many there are. */
  let spreadMs = 0;
  const connect = (): void => {
    // http becomes ws, and https wss.
    socket = new WebSocket(`ws${location.origin.slice("http".length)}${path}`);
    socket.onopen = () => {
      failures = 0;
      onOpen?.();
    };
    socket.onmessage = ({ data }) => {
      // Whatever the edge sends is an object, as text.
      const message = JSON.parse(data as string) as Message & { readonly spreadMs?: number };
      spreadMs = message.spreadMs ?? spreadMs;
      onMessage(message);
    };
    socket.onclose = () => {
      const delayMs = Math.min(DELAY_MAX_MS, 1_000 * 2 ** failures++);
      setTimeout(connect, delayMs / 2 + (delayMs + spreadMs) * Math.random());
    };
  };
  connect();
  return { isOpen: () => socket.readyState === 1 };
}
