/**
 * What `workerd serve` lacks: a place where `caches.default` keeps things. workerd asks it with GET, where
 * `CF-Cache-Status: HIT` means found, and tells it with PUT, whose body is the whole response as HTTP/1.1 writes it.
 */
const entries = new Map();

export default {
  async fetch(request) {
    if (request.method === "PUT") {
      keep(request.url, new Uint8Array(await request.arrayBuffer()));
      return new Response(null, { status: 204 });
    }
    const entry = entries.get(request.url);
    if (entry === undefined || entry.until < Date.now()) {
      return new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
    }
    return new Response(entry.body, { status: entry.status, headers: { ...entry.headers, "cf-cache-status": "HIT" } });
  },
};

function keep(url, bytes) {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const [statusLine, ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const chunked = headers["transfer-encoding"] === "chunked";
  delete headers["transfer-encoding"];
  const maxAgeS = Number(/max-age=(\d+)/.exec(headers["cache-control"] ?? "")?.[1] ?? 0);
  entries.set(url, {
    status: Number(statusLine.split(" ")[1]),
    headers,
    body: chunked ? joinChunks(bytes, text, end + 4) : bytes.slice(end + 4),
    until: Date.now() + maxAgeS * 1_000,
  });
}

function joinChunks(bytes, text, from) {
  const chunks = [];
  for (let at = from; at < text.length;) {
    const lineEnd = text.indexOf("\r\n", at);
    const length = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(length > 0)) break;
    chunks.push(bytes.slice(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  chunks.reduce((at, chunk) => (joined.set(chunk, at), at + chunk.length), 0);
  return joined;
}
