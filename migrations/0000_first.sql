CREATE TABLE "board_fact" (
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"revision" bigint NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"body" jsonb NOT NULL,
	CONSTRAINT "board_fact_kind_key_pk" PRIMARY KEY("kind","key")
);
--> statement-breakpoint
CREATE TABLE "event" (
	"cluster_id" text NOT NULL,
	"id" text NOT NULL,
	"epoch" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"kind" text NOT NULL,
	"subject" text,
	"observed_at" timestamp with time zone NOT NULL,
	"body" jsonb NOT NULL,
	CONSTRAINT "event_cluster_id_id_pk" PRIMARY KEY("cluster_id","id")
);
--> statement-breakpoint
CREATE TABLE "ingest" (
	"cluster_id" text NOT NULL,
	"epoch" bigint NOT NULL,
	"seq" bigint NOT NULL,
	CONSTRAINT "ingest_cluster_id_epoch_seq_pk" PRIMARY KEY("cluster_id","epoch","seq")
);
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
);
--> statement-breakpoint
CREATE INDEX "board_fact_kind_at" ON "board_fact" USING btree ("kind","at");--> statement-breakpoint
CREATE INDEX "event_observed" ON "event" USING btree ("observed_at");--> statement-breakpoint
CREATE INDEX "event_cluster_observed" ON "event" USING btree ("cluster_id","observed_at");--> statement-breakpoint
CREATE INDEX "event_kind_observed" ON "event" USING btree ("kind","observed_at");--> statement-breakpoint
CREATE INDEX "minute_window_service_minute" ON "minute_window" USING btree ("service_id","minute");