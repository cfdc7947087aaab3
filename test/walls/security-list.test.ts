/**
 * Each line of the lists of `reference/security.md` that is about the admin, sessions, content and requests to outside,
 * and the test that proves it: by the words of its name, so that a test that goes away or is renamed is missed here.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../support/process.ts";

const LIST: readonly (readonly [line: string, file: string, test: string])[] = [
  // Section 4: doors, sessions, routes.
  ["4 a one-time link works once", "worker/routes.test.ts", "opening the link spends nothing, the button does, once"],
  ["4 sessions are hashed at rest", "worker/doors.test.ts", "is kept as a hash: nothing in the page's memory opens it"],
  ["4 30 min idle, 12 h absolute", "worker/doors.test.ts", "older than twelve hours, though in use"],
  ["4 idle is idle, whatever an open page does", "worker/doors.test.ts", "ends though its page is left open"],
  ["4 rotated at sign-in", "worker/doors.test.ts", "that a browser had is over when it signs in anew"],
  ["4 rotated at step-up", "worker/doors.test.ts", "does it after a passkey, and gives the session another secret"],
  [
    "4 step-up for leases, keys, exports, users",
    "worker/security.test.ts",
    "is asked for by whatever concerns people, keys, leases and exports",
  ],
  ["4 within five minutes", "worker/routes.test.ts", "does not make up for a proof that is older than five minutes"],
  [
    "4 a change of role ends sessions and sockets",
    "worker/doors.test.ts",
    "ends their sessions and live sockets within a second when %s",
  ],
  [
    "4 a change of credentials does too",
    "worker/doors.test.ts",
    "ends all their sessions but the one that changed a passkey",
  ],
  [
    "4 recovery by the command line",
    "edge/doors.test.ts",
    "a lost passkey opens nothing any more, and its owner comes back by the command line",
  ],
  [
    "4 every role at every route",
    "worker/routes.test.ts",
    "opens what asks for it or for less, and is told what the rest asks for",
  ],
  ["4 no session at every route", "worker/routes.test.ts", "every route without a credential"],
  ["4 the credential of another door", "worker/routes.test.ts", "every route with the credential of another door"],
  ["4 GET is pure", "worker/routes.test.ts", "changes nothing, at any address and by any door"],
  [
    "4 Access: keys turn over, and are not asked for in a storm",
    "worker/access.test.ts",
    "asks for a key that it does not know once, and not again for half a minute",
  ],
  [
    "4 Access: neither cookie nor e-mail header",
    "worker/access.test.ts",
    "stays shut for Access' cookie and for its header with the address",
  ],
  // Section 1: what is theirs in caches, the audit.
  [
    "1 admin is always no-store",
    "worker/security.test.ts",
    "what is the operators' is kept by no cache, and is only what it says",
  ],
  ["1 the audit is a chain: tampering", "edge/doors.test.ts", "changed, taken out, or cut off at its end"],
  [
    "1 the audit is a chain: a Board that was set back",
    "worker/audit.test.ts",
    "goes on where the archive's ends when the Board %s",
  ],
  // Section 6: classes of CVEs.
  [
    "6 a public endpoint forgot the filter",
    "worker/components.test.ts",
    "stands in no public byte, on any route, by any name",
  ],
  ["6 function-level authorization", "worker/routes.test.ts", "opens what asks for it or for less"],
  ["6 an empty or wild target is no target", "worker/security.test.ts", "a target of everything"],
  ["6 object-level authorization: sessions", "worker/doors.test.ts", "does not end the session of somebody else"],
  [
    "6 object-level authorization: passkeys",
    "worker/security.test.ts",
    "a passkey of somebody else is neither named nor taken away",
  ],
  [
    "6 stored XSS: payload × field × page",
    "worker/security.test.ts",
    "are words on every page, to operators and to visitors, and in every question",
  ],
  ["6 stored XSS: feeds", "web/feeds.test.ts", "is XML whatever was typed, and carries no tag that somebody typed"],
  ["6 stored XSS: Markdown", "web/markdown.test.ts", "is inert: %s"],
  ["6 template injection: {{7*7}} stays text", "worker/security.test.ts", "{{7*7}}"],
  ["6 cookie flags", "worker/routes.test.ts", "HttpOnly; Secure; SameSite=Strict"],
  ["6 cross-site WebSocket: visitors", "worker/routes.test.ts", "a socket of another site is refused"],
  ["6 cross-site WebSocket: operators", "worker/security.test.ts", "%s is refused, session or not"],
  ["6 state changed by GET", "worker/routes.test.ts", "changes nothing, at any address and by any door"],
  [
    "6 CSRF: type × origin × Sec-Fetch-Site",
    "worker/routes.test.ts",
    "%s %s is refused whatever its type, session or not",
  ],
  ["6 no cap per user: an address", "worker/relay.test.ts", "lets no single address take a shard from everybody else"],
  [
    "6 no cap per user: a session",
    "worker/security.test.ts",
    "is one of so many that nobody takes them all, and others have theirs",
  ],
  ["6 a disabled feature has no route", "worker/access.test.ts", "is not there %s, and no page speaks of it"],
  // Section 8: passkeys.
  ["8.23 no verification, other origin, other site, a byte", "worker/doors.test.ts", "it was asked by another origin"],
  ["8.24 the same assertion again", "worker/doors.test.ts", "is refused with an answer that was used already"],
  // Section 8: admin.
  ["8.30 tokens of Access", "worker/access.test.ts", "stays shut for a token that %s"],
  ["8.31 cookies", "worker/doors.test.ts", "with a cookie of %s is none"],
  ["8.32 POST from elsewhere", "worker/routes.test.ts", "from a sandboxed page"],
  [
    "8.33 a challenge of another session",
    "worker/doors.test.ts",
    "is refused with the question of another session, and twice with one",
  ],
  [
    "8.33 a challenge of another browser",
    "worker/doors.test.ts",
    "is refused in another browser than the one that asked",
  ],
  [
    "8.34 two edit one incident: JSON",
    "worker/incidents.test.ts",
    "is told what stands there and what they sent, and nothing is posted",
  ],
  ["8.34 two edit one incident: browsers", "edge/incidents.test.ts", "two who write at once lose nothing"],
  ["8.34 and one whose session ends", "edge/incidents.test.ts", "a text outlives the session that it was typed in"],
  [
    "8.34 and one whose incident is gone",
    "worker/security.test.ts",
    "is shown again where somebody else deleted the incident meanwhile",
  ],
  // Section 8: content.
  ["8.7 control characters, overrides", "worker/security.test.ts", "is refused where JSON would be, and shown again"],
  ["8.7 and what Postgres cannot keep", "worker/security.test.ts", "a text that Postgres cannot keep holds up nothing"],
  ["8.35 javascript: and data:", "web/markdown.test.ts", "no address that is a document"],
  ["8.36 64 KiB", "web/markdown.test.ts", "is cut after 64 KiB"],
  ["8.36 a time cap", "web/markdown.test.ts", "takes no time for ten thousand nested %s"],
  ["8.36 rules that never come true", "core/recurrence.test.ts", "%s is refused, and soon"],
  [
    "8.37 CR or LF in headers",
    "worker/security.test.ts",
    "an address of hostile letters is refused, and never an error of ours",
  ],
  ["8.37 CR or LF in names", "worker/security.test.ts", "its name, of two lines"],
  // Section 8: requests to outside.
  ["8.38 loopback in every spelling", "worker/probe.test.ts", "loopback in circled digits"],
  ["8.39 no literals at all", "worker/probe.test.ts", "Azure's wire server"],
  ["8.40 names of inside", "worker/probe.test.ts", "a wildcard name"],
  [
    "8.41 a redirect is not followed",
    "worker/probe.test.ts",
    "a redirect is an answer, and nobody goes where it leads",
  ],
  ["8.42 our own address", "worker/probe.test.ts", "this Worker"],
  ["8.38–42 at every entrance", "worker/components.test.ts", "is refused by %s where it is not plainly a public site"],
  // Section 8: the edge.
  [
    "8.43 what only proxies say",
    "worker/security.test.ts",
    "makes no link lead elsewhere, no cookie less safe and no other site ours",
  ],
  ["8.45 other methods", "worker/routes.test.ts", "a method of its own"],
  [
    "8 hostile input is never 5xx",
    "worker/security.test.ts",
    "an address of hostile letters is refused, and never an error of ours",
  ],
];

it.each(LIST)("%s", (_line, file, test) => expect(readFileSync(join(ROOT, "test", file), "utf8")).toContain(test));
