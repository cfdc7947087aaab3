-- History that can be kept: minutes by day, hours by month, days for ever, and one row an epoch for what was received.
--
-- Safe beside the Worker of 0000: it goes on writing `ingest` and `minute_window` with the statements that it has, and
-- what it writes is rolled up by the same triggers. Locks are taken in the order in which its flush takes them.
LOCK TABLE "ingest", "minute_window", "event", "board_fact" IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
ALTER TABLE "minute_window" RENAME TO "minute_window_before";
--> statement-breakpoint
ALTER TABLE "minute_window_before" RENAME CONSTRAINT "minute_window_cluster_id_service_id_minute_pk" TO "minute_window_before_pk";
--> statement-breakpoint
ALTER INDEX "minute_window_service_minute" RENAME TO "minute_window_before_service_minute";
--> statement-breakpoint
CREATE TABLE "minute_window" (
	"cluster_id" text NOT NULL,
	"service_id" text NOT NULL,
	"minute" timestamp with time zone NOT NULL,
	"span_ms" bigint NOT NULL,
	"epoch" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"requests" double precision NOT NULL,
	"errors" double precision NOT NULL,
	"latency" jsonb,
	CONSTRAINT "minute_window_cluster_id_service_id_minute_pk" PRIMARY KEY("cluster_id","service_id","minute")
) PARTITION BY RANGE ("minute");
--> statement-breakpoint
-- Mostly empty: what is longer than a minute is found without looking at minutes.
CREATE INDEX "minute_window_long" ON "minute_window" USING btree ("cluster_id","service_id","minute") WHERE span_ms > 60000;
--> statement-breakpoint
CREATE TABLE "hour_window" (
	"cluster_id" text NOT NULL,
	"service_id" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"bounds" text NOT NULL,
	"requests" double precision NOT NULL,
	"errors" double precision NOT NULL,
	"covered_ms" bigint NOT NULL,
	"counts" jsonb NOT NULL,
	"sum" double precision NOT NULL,
	CONSTRAINT "hour_window_cluster_id_service_id_hour_bounds_pk" PRIMARY KEY("cluster_id","service_id","hour","bounds")
) PARTITION BY RANGE ("hour");
--> statement-breakpoint
CREATE INDEX "hour_window_hour" ON "hour_window" USING brin ("hour");
--> statement-breakpoint
-- Written again and again while its day lasts: room on the page keeps these updates out of the indexes.
CREATE TABLE "day_window" (
	"cluster_id" text NOT NULL,
	"service_id" text NOT NULL,
	"day" date NOT NULL,
	"bounds" text NOT NULL,
	"requests" double precision NOT NULL,
	"errors" double precision NOT NULL,
	"covered_ms" bigint NOT NULL,
	"counts" jsonb NOT NULL,
	"sum" double precision NOT NULL,
	CONSTRAINT "day_window_cluster_id_service_id_day_bounds_pk" PRIMARY KEY("cluster_id","service_id","day","bounds")
) WITH (fillfactor = 70);
--> statement-breakpoint
CREATE INDEX "day_window_day" ON "day_window" USING brin ("day");
--> statement-breakpoint
CREATE TABLE "day_zone" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL CHECK ("one"),
	"zone" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "received" (
	"cluster_id" text NOT NULL,
	"epoch" bigint NOT NULL,
	"numbers" int8multirange NOT NULL,
	"added" int8multirange NOT NULL,
	CONSTRAINT "received_cluster_id_epoch_pk" PRIMARY KEY("cluster_id","epoch")
);
--> statement-breakpoint
-- A zone that this Postgres does not know must not stop the archive: its days are cut in UTC.
CREATE FUNCTION "known_zone"(zone text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM now() AT TIME ZONE zone;
  RETURN coalesce(zone, 'Etc/UTC');
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN 'Etc/UTC';
END $$;
--> statement-breakpoint
INSERT INTO "day_zone" ("zone")
SELECT known_zone((SELECT body->>'timeZone' FROM "board_fact" WHERE kind = 'page' ORDER BY at DESC LIMIT 1));
--> statement-breakpoint
-- Sparse counts, bucket index to count. What floats leave of nothing after a subtraction is nothing.
CREATE FUNCTION "add_counts"(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_object_agg(key, total), '{}') FROM (
    SELECT key, sum(value::float8) AS total
    FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) AS both_counts
    GROUP BY key HAVING sum(value::float8) > 1e-9
  ) AS merged
$$;
--> statement-breakpoint
-- The buckets of a window that hold anything: minutes have them by index, those of the Worker before in an array.
CREATE FUNCTION "bucket_counts"(counts jsonb) RETURNS TABLE (bucket text, count text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT key, value FROM jsonb_each_text(CASE jsonb_typeof(counts) WHEN 'object' THEN counts END)
  UNION ALL
  SELECT (n - 1)::text, value
  FROM jsonb_array_elements_text(CASE jsonb_typeof(counts) WHEN 'array' THEN counts END) WITH ORDINALITY AS a(value, n)
  WHERE value <> '0'
$$;
--> statement-breakpoint
-- Makes the partitions of these days (UTC) and of the hours that their minutes may belong to; without days, those from
-- 15 days ago to 30 days ahead. Answers how many it made. A table is made alone and then attached, because that is the
-- way that stops neither readers nor writers.
CREATE FUNCTION "prepare_storage"(days date[] DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  wanted date;
  name text;
  made integer := 0;
BEGIN
  -- Two at once would both find a partition missing.
  PERFORM pg_advisory_xact_lock(6787378, 1);
  IF days IS NULL THEN
    days := ARRAY(SELECT current_date + n FROM generate_series(-15, 30) AS n);
  END IF;
  FOR wanted IN SELECT DISTINCT d FROM unnest(days) AS d ORDER BY d LOOP
    name := 'minute_window_' || to_char(wanted, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(format('public.%I', name)) IS NOT NULL;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.minute_window INCLUDING DEFAULTS)', name);
    EXECUTE format('ALTER TABLE public.minute_window ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
      name, wanted::timestamptz, (wanted + 1)::timestamptz);
    made := made + 1;
  END LOOP;
  -- An hour of the page's clock may begin before the minute's UTC day does.
  FOR wanted IN
    SELECT DISTINCT date_trunc('month', d - back)::date FROM unnest(days) AS d, generate_series(0, 1) AS back ORDER BY 1
  LOOP
    name := 'hour_window_' || to_char(wanted, 'YYYYMM');
    CONTINUE WHEN to_regclass(format('public.%I', name)) IS NOT NULL;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.hour_window INCLUDING DEFAULTS) WITH (fillfactor = 70)', name);
    EXECUTE format('ALTER TABLE public.hour_window ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
      name, wanted::timestamptz, (wanted + interval '1 month')::timestamptz);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;
--> statement-breakpoint
-- Retention is a drop: minutes of days that ended more than 14 days ago, hours of months that ended more than 400 days ago. The ages stand
-- here and are no parameters, because the Worker's role may call this and must not be able to drop more. Answers how many.
CREATE FUNCTION "retire_storage"() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '3s' AS $$
DECLARE
  part text;
  dropped integer := 0;
BEGIN
  FOR part IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE CASE
      WHEN i.inhparent = 'public.minute_window'::regclass AND c.relname ~ '^minute_window_\d{8}$'
        THEN to_date(right(c.relname, 8), 'YYYYMMDD') + 1 < current_date - 14
      WHEN i.inhparent = 'public.hour_window'::regclass AND c.relname ~ '^hour_window_\d{6}$'
        THEN to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' < current_date - 400
      ELSE false END
    -- Minutes first, as a flush locks them: the other way round each would wait for the other.
    ORDER BY i.inhparent = 'public.hour_window'::regclass, c.relname
  LOOP
    EXECUTE format('DROP TABLE public.%I', part);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
--> statement-breakpoint
-- Moves hours and days by what changed in the minutes: new rows add, replaced ones add new - old, removed ones subtract.
-- Whoever writes minutes and however, the rollups hold the same counts; a replay changes no row and so nothing here, and
-- a partition that is dropped with its age leaves its sums. `changed_rows` are the new ones, of a DELETE the old.
--
-- A window belongs to the hour of the page's clock in which it starts, so that days are whole hours in every zone.
-- Histograms of different bounds never meet here: `bounds` is in the key, and readers merge what is common to them.
CREATE FUNCTION "roll_up_windows"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  page_zone text;
  changed text := format('SELECT %s AS sign, * FROM changed_rows', CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END);
  target record;
BEGIN
  IF NOT EXISTS (SELECT FROM changed_rows) THEN
    RETURN NULL;
  END IF;
  -- Days are not cut anew while one writes them, and none writes them while they are.
  PERFORM pg_advisory_xact_lock_shared(6787378, 2);
  SELECT z.zone INTO STRICT page_zone FROM public.day_zone AS z;
  -- One statement may come here twice, for its inserts and its updates: two of them would lock hours crosswise.
  PERFORM pg_advisory_xact_lock(6787379, hashtext(c.cluster_id))
    FROM (SELECT DISTINCT cluster_id FROM changed_rows ORDER BY cluster_id) AS c;
  IF TG_OP = 'UPDATE' THEN
    changed := changed || ' UNION ALL SELECT -1, * FROM old_rows';
  END IF;
  FOR target IN
    VALUES ('hour_window', 'hour', 'date_trunc(''hour'', minute, $1)'),
      ('day_window', 'day', '(date_trunc(''hour'', minute, $1) AT TIME ZONE $1)::date')
  LOOP
    EXECUTE format($sql$
      WITH changed AS (
        SELECT sign, cluster_id, service_id, %3$s AS slot, coalesce(latency->>'bounds', '') AS bounds,
          requests, errors, span_ms, latency
        FROM (%4$s) AS rows
      ), totals AS (
        SELECT cluster_id, service_id, slot, bounds, sum(sign * requests) AS requests, sum(sign * errors) AS errors,
          sum(sign * span_ms)::bigint AS covered_ms, sum(sign * coalesce((latency->>'sum')::float8, 0)) AS sum
        FROM changed GROUP BY cluster_id, service_id, slot, bounds
      ), buckets AS (
        SELECT cluster_id, service_id, slot, bounds, jsonb_object_agg(bucket, count) AS counts FROM (
          SELECT cluster_id, service_id, slot, bounds, c.bucket, sum(sign * c.count::float8) AS count
          FROM changed, public.bucket_counts(latency->'counts') AS c
          GROUP BY cluster_id, service_id, slot, bounds, c.bucket HAVING sum(sign * c.count::float8) <> 0
        ) AS counted GROUP BY cluster_id, service_id, slot, bounds
      )
      INSERT INTO public.%1$I AS held (cluster_id, service_id, %2$I, bounds, requests, errors, covered_ms, counts, sum)
      SELECT cluster_id, service_id, slot, bounds, requests, errors, covered_ms, coalesce(counts, '{}'), sum
      FROM totals LEFT JOIN buckets USING (cluster_id, service_id, slot, bounds)
      ORDER BY cluster_id, service_id, slot, bounds
      ON CONFLICT (cluster_id, service_id, %2$I, bounds) DO UPDATE SET
        requests = greatest(held.requests + excluded.requests, 0),
        errors = greatest(held.errors + excluded.errors, 0),
        covered_ms = greatest(held.covered_ms + excluded.covered_ms, 0),
        counts = public.add_counts(held.counts, excluded.counts),
        sum = greatest(held.sum + excluded.sum, 0)
    $sql$, target.column1, target.column2, target.column3, changed) USING page_zone;
  END LOOP;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Of two windows of a service that overlap, the longer one stands if it contains the other: a spool that ran out of room
-- has merged minutes that another spool of the same agent, or the same one under another clock, sent as they were.
-- (Of the same start and span the newest number stands: the flush sees to that, and to the longer of one start.) Spans
-- that are aligned in Unix time and divide each other contain each other or do not meet.
--
-- A trigger, because two flushes that do not see each other's rows meet at the lock which the sums have taken: the second
-- sees what the first wrote. Sums must have the rows before they are removed from them, so this comes after them. The
-- planner is held to one walk of an index a row, whatever it believes of a day that has just begun; the moments are
-- parameters, so that only the days of these rows are looked at. Longer windows than an hour contain nothing here: that
-- bounds the walks, and what an agent that counts wrong can take away from itself.
CREATE FUNCTION "keep_longer_windows"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  span_max CONSTANT interval := '1 hour';
  earliest timestamptz;
  latest timestamptz;
  is_born text := 'true';
BEGIN
  SELECT min(minute) - span_max, max(minute) + span_max INTO earliest, latest FROM changed_rows;
  IF earliest IS NULL THEN
    RETURN NULL;
  END IF;
  -- A statement that inserts and updates comes here for its updates first. What it inserted has not been summed up: the
  -- second time sees to that.
  IF TG_OP = 'UPDATE' THEN
    is_born := 'shorter.xmin <> pg_current_xact_id()::xid';
  END IF;
  EXECUTE format($sql$
    DELETE FROM public.minute_window AS gone USING (
      SELECT shorter.cluster_id, shorter.service_id, shorter.minute FROM changed_rows AS shorter WHERE EXISTS (
        SELECT FROM public.minute_window AS longer
        WHERE longer.cluster_id = shorter.cluster_id AND longer.service_id = shorter.service_id
          AND longer.minute <= shorter.minute AND longer.minute > shorter.minute - $3
          AND longer.span_ms > 60000 AND longer.span_ms <= 3600000 AND longer.span_ms > shorter.span_ms
          AND extract(epoch FROM shorter.minute - longer.minute) * 1000 + shorter.span_ms <= longer.span_ms
          AND longer.minute > $1 AND longer.minute < $2 OFFSET 0
      )
      UNION
      SELECT longer.cluster_id, longer.service_id, inside.minute FROM changed_rows AS longer CROSS JOIN LATERAL (
        SELECT shorter.minute FROM public.minute_window AS shorter
        WHERE shorter.cluster_id = longer.cluster_id AND shorter.service_id = longer.service_id
          AND shorter.minute >= longer.minute AND shorter.minute < longer.minute + $3
          AND shorter.span_ms < longer.span_ms
          AND extract(epoch FROM shorter.minute - longer.minute) * 1000 + shorter.span_ms <= longer.span_ms
          AND shorter.minute > $1 AND shorter.minute < $2 AND %s OFFSET 0
      ) AS inside WHERE longer.span_ms > 60000 AND longer.span_ms <= 3600000
    ) AS contained
    WHERE gone.cluster_id = contained.cluster_id AND gone.service_id = contained.service_id
      AND gone.minute = contained.minute AND gone.minute > $1 AND gone.minute < $2
  $sql$, is_born) USING earliest, latest, span_max;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Triggers of one event fire in the order of their names.
CREATE TRIGGER "minute_window_inserted_1_sums" AFTER INSERT ON "minute_window"
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION "roll_up_windows"();
--> statement-breakpoint
CREATE TRIGGER "minute_window_inserted_2_longer" AFTER INSERT ON "minute_window"
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION "keep_longer_windows"();
--> statement-breakpoint
CREATE TRIGGER "minute_window_updated_1_sums" AFTER UPDATE ON "minute_window"
REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION "roll_up_windows"();
--> statement-breakpoint
CREATE TRIGGER "minute_window_updated_2_longer" AFTER UPDATE ON "minute_window"
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION "keep_longer_windows"();
--> statement-breakpoint
CREATE TRIGGER "minute_window_deleted" AFTER DELETE ON "minute_window"
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION "roll_up_windows"();
--> statement-breakpoint
-- The page's zone changed: its days are cut anew from the hours, a week at a time and the newest first. A board's write
-- waits for this, so it ends after 5 s, and with the oldest hours: days before that stay as they were cut.
CREATE FUNCTION "cut_days"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  wanted text := known_zone(NEW.body->>'timeZone');
  oldest date;
  first_day date;
  end_day date;
BEGIN
  PERFORM pg_advisory_xact_lock(6787378, 2);
  IF wanted = (SELECT zone FROM public.day_zone) THEN
    RETURN NULL;
  END IF;
  UPDATE public.day_zone SET zone = wanted;
  SELECT min(to_date(right(c.relname, 6), 'YYYYMM')) + 2 INTO oldest
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.hour_window'::regclass;
  end_day := current_date + 32;
  WHILE end_day > oldest AND clock_timestamp() < statement_timestamp() + interval '5 s' LOOP
    first_day := greatest(end_day - 7, oldest);
    DELETE FROM public.day_window WHERE day >= first_day AND day < end_day;
    INSERT INTO public.day_window (cluster_id, service_id, day, bounds, requests, errors, covered_ms, counts, sum)
    WITH hours AS (
      SELECT *, (hour AT TIME ZONE wanted)::date AS day FROM public.hour_window
      WHERE hour >= first_day::timestamp AT TIME ZONE wanted AND hour < end_day::timestamp AT TIME ZONE wanted
    ), totals AS (
      SELECT cluster_id, service_id, day, bounds, sum(requests) AS requests, sum(errors) AS errors,
        sum(covered_ms)::bigint AS covered_ms, sum(sum) AS sum
      FROM hours GROUP BY cluster_id, service_id, day, bounds
    ), buckets AS (
      SELECT cluster_id, service_id, day, bounds, jsonb_object_agg(key, count) AS counts FROM (
        SELECT cluster_id, service_id, day, bounds, key, sum(value::float8) AS count
        FROM hours, jsonb_each_text(counts) GROUP BY cluster_id, service_id, day, bounds, key
      ) AS counted GROUP BY cluster_id, service_id, day, bounds
    )
    SELECT cluster_id, service_id, day, bounds, requests, errors, covered_ms, coalesce(counts, '{}'), sum
    FROM totals LEFT JOIN buckets USING (cluster_id, service_id, day, bounds);
    end_day := first_day;
  END LOOP;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "board_fact_page" AFTER INSERT OR UPDATE ON "board_fact"
FOR EACH ROW WHEN (NEW.kind = 'page') EXECUTE FUNCTION "cut_days"();
--> statement-breakpoint
SELECT prepare_storage(), prepare_storage(ARRAY(SELECT DISTINCT (minute AT TIME ZONE 'UTC')::date FROM "minute_window_before"));
--> statement-breakpoint
-- Through the trigger, as every row that comes later.
INSERT INTO "minute_window" SELECT * FROM "minute_window_before";
--> statement-breakpoint
INSERT INTO "received" ("cluster_id", "epoch", "numbers", "added")
SELECT cluster_id, epoch, range_agg(int8range(seq, seq, '[]')), '{}' FROM "ingest" GROUP BY cluster_id, epoch;
--> statement-breakpoint
-- Functions that do what the Worker's role may not are for those who may write facts.
REVOKE EXECUTE ON FUNCTION "prepare_storage"(date[]), "retire_storage"(), "roll_up_windows"(), "keep_longer_windows"(),
  "cut_days"() FROM PUBLIC;
--> statement-breakpoint
-- Whoever was granted the old tables has the same rights on the new ones: the Worker that runs now goes on, and the next
-- one finds what it needs, without anybody repeating a GRANT.
DO $$
DECLARE
  held record;
BEGIN
  FOR held IN
    SELECT c.relname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
      a.privilege_type
    FROM pg_class c, aclexplode(c.relacl) AS a
    WHERE c.oid IN ('"minute_window_before"'::regclass, '"ingest"'::regclass) AND a.grantee <> c.relowner
  LOOP
    IF held.relname = 'minute_window_before' THEN
      EXECUTE format('GRANT %s ON "minute_window" TO %s', held.privilege_type, held.grantee);
      IF held.privilege_type = 'SELECT' THEN
        EXECUTE format('GRANT SELECT ON "hour_window", "day_window" TO %s', held.grantee);
      END IF;
    ELSIF held.privilege_type = 'SELECT' THEN
      EXECUTE format('GRANT SELECT ON "received" TO %s', held.grantee);
    ELSIF held.privilege_type = 'INSERT' THEN
      EXECUTE format('GRANT SELECT, INSERT, UPDATE ON "received" TO %s', held.grantee);
      EXECUTE format('GRANT EXECUTE ON FUNCTION "prepare_storage"(date[]), "retire_storage"() TO %s', held.grantee);
    END IF;
  END LOOP;
END $$;
--> statement-breakpoint
DROP TABLE "minute_window_before";
--> statement-breakpoint
DROP INDEX "event_observed", "event_cluster_observed", "event_kind_observed", "board_fact_kind_at";
--> statement-breakpoint
CREATE INDEX "event_observed" ON "event" USING btree ("observed_at","cluster_id","id");
--> statement-breakpoint
CREATE INDEX "event_cluster_observed" ON "event" USING btree ("cluster_id","observed_at","id");
--> statement-breakpoint
CREATE INDEX "event_kind_observed" ON "event" USING btree ("kind","observed_at","cluster_id","id");
--> statement-breakpoint
CREATE INDEX "event_cluster_kind_observed" ON "event" USING btree ("cluster_id","kind","observed_at","id");
--> statement-breakpoint
CREATE INDEX "board_fact_kind_at" ON "board_fact" USING btree ("kind","at","key");
--> statement-breakpoint
CREATE INDEX "board_fact_component_change" ON "board_fact" USING btree ((body->>'component'),"at") WHERE kind = 'status_change';
