/** What the Board tells operators. */
import type { Millis } from "../../protocol/time.ts";
import type { Delay } from "../core/archive.ts";
import type { Backlog, ClusterIdentity, Component, Tell } from "../core/component.ts";
import type { DraftView } from "../core/draft.ts";
import type { Incident } from "../core/incident.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import type { Outside } from "../core/probe.ts";
import type { Reminder } from "../core/reminder.ts";
import type { PageSettings } from "../core/snapshot.ts";
import type { Series } from "../core/schedule.ts";
import type { Overdue } from "./board-plans.ts";

/** A tell, and how many services it has: they themselves may be left out. Its graph is asked for by itself. */
export interface ToldView extends Omit<Tell, "topology"> {
  readonly reports: number;
}

/** What an operator's page is made of. */
export interface OperatorView {
  readonly page: PageSettings;
  readonly components: readonly Component[];
  readonly maintenances: readonly Maintenance[];
  /** Absent in what a Board of the release before says, as the next one. */
  readonly announcements?: readonly Announcement[];
  readonly incidents?: readonly Incident[];
  readonly clusters: readonly ClusterIdentity[];
  readonly tells: readonly ToldView[];
  /** What was seen of the components' addresses. Absent in what a Board of the release before says. */
  readonly outside?: readonly Outside[];
  /** Newest first. Absent in what a Board of the release before says. */
  readonly drafts?: readonly DraftView[];
  /** Maintenances that take longer than they should. Absent in what a Board of the release before says. */
  readonly overdue?: readonly Overdue[];
  /** Services that wait to be published. Absent in what a Board of the release before says. */
  readonly inbox?: number;
  /** What recurs. Absent in what a Board of the release before says. */
  readonly series?: readonly Series[];
  /** Of unresolved incidents. Absent in what a Board of the release before says, as the next one. */
  readonly reminders?: readonly Reminder[];
  /** Since when an incident's newest state waits for Postgres, by id. */
  readonly unarchived?: Readonly<Record<string, Millis>>;
  readonly archive: ArchiveView;
  /** What the Worker of the release before reads instead of `archive`, while a deploy goes out. */
  readonly backlog: Backlog;
}

/** How the way to Postgres is: where facts have waited for too long, and what the Board's own last attempt ran into. */
interface ArchiveView {
  readonly delays: readonly Delay[];
  /** Null if the last attempt went well. */
  readonly failure: string | null;
  /** Rows of the Board that wait, for however short a time. */
  readonly waiting: number;
}
