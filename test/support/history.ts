/** A database that has been in use for a quarter, filled by SQL: what plans and timings are looked at on. */
import type { Client } from "pg";

/** Services of a filled history are `eu-0/shop/s0`, `eu-1/shop/s1`, … over four clusters. */
export function filledService(n: number): string {
  return `eu-${n % 4}/shop/s${n}`;
}

const SERVICE = "'eu-' || n % 4, 'shop/s' || n";
const COUNTS = `{"2": 310, "3": 2410, "4": 1800.5, "5": 900, "6": 420, "7": 120, "8": 31, "9": 8.5}`;
const LATENCY = `{"scheme": "explicit", "bounds": "istio", "sum": 4100.25,
  "counts": {"2": 5, "3": 40, "4": 30, "5": 15, "6": 7, "7": 2, "8": 0.5, "9": 0.1}}`;

/**
 * Ninety days and hours of `services`, the newest `minuteDays` of minutes, and as much as a busy quarter leaves of
 * events and status changes. Rollups are written beside the minutes, whose triggers rest: they are tested elsewhere.
 * Hours lie in the order in which time writes them, which the planner knows and block ranges live by.
 * Partitions are full to their end, whatever the time of day: of a nearly empty one a planner rightly reads all.
 */
export async function fillHistory(
  client: Client,
  { services, minuteDays }: { readonly services: number; readonly minuteDays: number },
): Promise<void> {
  await client.query("SET timezone = 'UTC'");
  await client.query("SELECT prepare_storage(ARRAY(SELECT current_date - n FROM generate_series(0, 95) AS n))");
  await client.query("ALTER TABLE minute_window DISABLE TRIGGER USER");
  await client.query(`INSERT INTO minute_window
    SELECT ${SERVICE}, minute, 60000, 1, extract(epoch FROM minute)::bigint / 60, 100, 1, '${LATENCY}'
    FROM generate_series(current_date - ${minuteDays}, current_date + interval '1439 minutes', '1 minute') AS minute,
      generate_series(0, ${services - 1}) AS n`);
  await client.query("ALTER TABLE minute_window ENABLE TRIGGER USER");
  const sums = `'istio', 6000, 60, 3600000, '${COUNTS}', 246015`;
  await client.query(`INSERT INTO hour_window SELECT ${SERVICE}, hour, ${sums}
    FROM generate_series(current_date - 91, date_trunc('month', now()) + interval '1 month - 1 hour', '1 hour') AS hour,
      generate_series(0, ${services - 1}) AS n ORDER BY hour, n`);
  await client.query(`INSERT INTO day_window SELECT ${SERVICE}, day, ${sums}
    FROM generate_series(current_date - 91, current_date, '1 day') AS day, generate_series(0, ${services - 1}) AS n`);
  await client.query(`INSERT INTO event
    SELECT 'eu-' || n % 4, md5(n::text), 1, n, CASE n / 4 % 25 WHEN 0 THEN 'gap' ELSE (ARRAY['pod.crash_loop', 'pod.oom_killed', 'lease.result'])[1 + n / 4 % 3] END,
      'shop/s1', now() - n * interval '5 minutes', jsonb_build_object('until', (extract(epoch FROM now()) * 1000)::bigint - n::bigint * 300000 + 180000)
    FROM generate_series(1, 25000) AS n`);
  await client.query(`INSERT INTO board_fact
    SELECT 'status_change', c || ':' || n, 1, now() - n * interval '15 minutes',
      jsonb_build_object('component', 'component' || c, 'at', 0, 'status', 'operational')
    FROM generate_series(1, 40) AS c, generate_series(1, 500) AS n`);
  await client.query(`INSERT INTO board_fact
    SELECT kind, n::text, 1, now() - n * interval '1 minute', '{}'
    FROM unnest(ARRAY['audit', 'component', 'maintenance', 'uptime']) AS kind, generate_series(1, 2000) AS n`);
  await client.query("VACUUM ANALYZE");
}
