/** Incidents and maintenances to test and to look at, and texts that would do harm if anybody took them for markup. */
import type { PageIncident, PageMaintenance, PageSnapshot, PageUpdate } from "../../protocol/page.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { component, dayMetrics, NOW, said, snapshot } from "./snapshots.ts";

/** What a person said at `at`. */
export function update<Status>(
  id: string,
  status: Status,
  body: string,
  at: number,
  affected: PageUpdate["affected"] = [],
): PageUpdate<Status> {
  return { id, status, body, createdAt: at, updatedAt: at, displayAt: at, affected };
}

const PAYMENTS = { component: "component001", name: "Payments" } as const;

/** Payments fail for some since 13:48; the cause is found. Two updates, newest first. */
export function incident(fields: Partial<PageIncident> = {}): PageIncident {
  const startedAt = NOW - 14 * MINUTE;
  return {
    id: "incident0001",
    name: "Some payments fail",
    status: "identified",
    impact: "major",
    createdAt: startedAt,
    updatedAt: NOW - 4 * MINUTE,
    startedAt,
    monitoringAt: null,
    resolvedAt: null,
    components: [PAYMENTS.component],
    updates: [
      update(
        "update000002",
        "identified",
        "About **3 of 10** payments by card fail. A certificate of our [card processor](https://status.cards.example) has expired; we are replacing it. Next update by 14:30.",
        NOW - 4 * MINUTE,
        [{ ...PAYMENTS, from: "partial_outage", to: "partial_outage" }],
      ),
      update(
        "update000001",
        "investigating",
        "Some payments by card fail since 13:48 UTC. We are looking into it.",
        startedAt,
        [{ ...PAYMENTS, from: "operational", to: "partial_outage" }],
      ),
    ],
    ...fields,
  };
}

/** One that is over: an hour long, `days` days ago. */
export function resolved(days: number, fields: Partial<PageIncident> = {}): PageIncident {
  const startedAt = NOW - days * DAY - 2 * HOUR;
  const resolvedAt = startedAt + HOUR;
  const id = `resolved${String(days).padStart(4, "0")}`;
  return incident({
    id,
    name: "Search was slow",
    status: "resolved",
    impact: "minor",
    createdAt: startedAt,
    updatedAt: resolvedAt,
    startedAt,
    monitoringAt: startedAt + 40 * MINUTE,
    resolvedAt,
    components: ["component003"],
    updates: [
      update(`${id}c`, "resolved", "Searches are answered as fast as before.", resolvedAt),
      update(`${id}b`, "monitoring", "A new index is in place; we are watching it.", startedAt + 40 * MINUTE),
      update(`${id}a`, "investigating", "Searches take up to 8 seconds.", startedAt),
    ],
    ...fields,
  });
}

/** A maintenance that somebody announced for Saturday, with what they said of it. */
export function announced(fields: Partial<PageMaintenance> = {}): PageMaintenance {
  const startsAt = Date.UTC(2026, 10, 28, 2);
  const createdAt = NOW - 2 * DAY;
  return {
    id: "announced001",
    name: "Database upgrade",
    status: "scheduled",
    startsAt,
    endsAt: startsAt + 2 * HOUR,
    createdAt,
    updatedAt: createdAt,
    components: ["component008", "component000"],
    confirmed: false,
    updates: [
      update("mupdate00001", "scheduled", "Orders can be read but not changed for up to 20 minutes.", createdAt),
    ],
    sequence: 0,
    ...fields,
  };
}

/** The page by which the first view is weighed: four groups, 90 days of bars, three charts, one open incident. */
export function fullView(count = 20): PageSnapshot {
  const groups = ["Shop", "Data", "Platform", "Partners"];
  const components = Array.from({ length: count }, (_, i) => {
    const group = groups[Math.floor((i * groups.length) / count)] ?? null;
    return component(i, i === 1 ? { group, ...failing() } : { group });
  });
  return snapshot(components, { incidents: [incident(), resolved(6)], metrics: dayMetrics() });
}

function failing() {
  const outlook = said("partial_outage", NOW - 14 * MINUTE, "About 3 in 10 requests fail.", NOW - 8 * SECOND);
  return { outlook, errorRatio: 0.304 };
}

/** For names, groups and whatever else is one line of plain text. */
export const HOSTILE_NAME = `"><script>alert(1)</script><img src=x onerror='alert(2)'>{{7*7}}]]>&amp;`;

/** Markdown that tries to get out (OWASP's filter evasion, CommonMark's own corners, what security.md lists). */
export const HOSTILE_MARKDOWN = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<div onclick=alert(1)>\n\n**a**\n\n</div>",
  "<!-- --><svg/onload=alert(1)>",
  "<![CDATA[<script>alert(1)</script>]]>",
  "]]><script>alert(1)</script>",
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert(1))",
  "[a](java\tscript:alert(1))",
  "[a](&#106;avascript:alert(1))",
  "[a](javascript&colon;alert(1))",
  "[a](\u0001javascript:alert(1))",
  "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[a](vbscript:msgbox(1))",
  '[a](https://a.example "\' onmouseover=alert(1) x=")',
  '[a](https://a.example/"onmouseover="alert(1))',
  "[a][b]\n\n[b]: javascript:alert(1)",
  "<javascript:alert(1)>",
  "![a](x onerror=alert(1))",
  '![a"onerror="alert(1)](https://a.example/x.png)',
  '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
  "`<script>alert(1)</script>`",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "</style></title></textarea><script>alert(1)</script>",
  "<base href=//evil.example><form action=//evil.example><input>",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "BEGIN:VEVENT\r\nEND:VCALENDAR\r\nATTACH:javascript:alert(1)",
  "\u202Egnp.exe\u0000\u2028",
] as const;

/** All of them in one text. */
export const HOSTILE_BODY = HOSTILE_MARKDOWN.join("\n\n");
