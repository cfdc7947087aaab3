/** The runbook's "Planned Upgrade Procedure" as a list to tick, unless the page has one of its own. */

export const CHECKLIST_PHASES = ["before", "during", "after"] as const;
type ChecklistPhase = (typeof CHECKLIST_PHASES)[number];
/** More than that nobody ticks off in a night. */
export const CHECKLIST_MAX = 50;

export interface ChecklistItem {
  readonly id: string;
  readonly phase: ChecklistPhase;
  readonly text: string;
}

const item = (phase: ChecklistPhase, id: string, text: string): ChecklistItem => ({ id, phase, text });

const CHECKLIST: readonly ChecklistItem[] = [
  item("before", "backup", "Full backup taken"),
  item("before", "backup-uploaded", "Backup uploaded"),
  item("before", "rollback", "Rollback tried in staging, and rolled forward again"),
  item("during", "maintenance-mode", "Maintenance mode enabled"),
  item("during", "drain", "Traffic drained"),
  item("during", "apply", "Updates applied, rollout complete"),
  item("during", "migrate", "Database migrations run"),
  item("during", "smoke-test", "Smoke test passed"),
  item("during", "restore-traffic", "Traffic restored"),
  item("after", "monitored", "Monitored for 30 minutes, no errors in the log"),
  item("after", "metrics", "Metrics looked at"),
  item("after", "anomalies", "Anomaly detection verified"),
  item("after", "all-clear", "All-clear sent"),
];

export function checklistOf({
  checklist,
}: {
  readonly checklist?: readonly ChecklistItem[];
}): readonly ChecklistItem[] {
  return checklist ?? CHECKLIST;
}
