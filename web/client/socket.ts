/** A WebSocket that comes back by itself, ever slower, and at no two readers' common moment. */
const DELAY_MAX_MS = 30_000;

export interface LiveSocket {
  isOpen(): boolean;
}

/** `onOpen` is told whether it was open before: what was sent meanwhile is missed. */
export function openSocket(
  path: string,
  onMessage: (text: string) => void,
  onOpen: (isReturn: boolean) => void,
): LiveSocket {
  let socket: WebSocket | null = null;
  let failures = 0;
  const connect = (): void => {
    socket = new WebSocket(location.origin.replace("http", "ws") + path);
    socket.onopen = () => {
      onOpen(failures > 0);
      failures = 0;
    };
    socket.onmessage = ({ data }) => onMessage(String(data));
    socket.onclose = () => {
      setTimeout(connect, Math.min(DELAY_MAX_MS, 1_000 * 2 ** failures++) * (0.5 + Math.random()));
    };
  };
  connect();
  return { isOpen: () => socket?.readyState === 1 };
}
