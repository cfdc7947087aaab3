/**
 * Everything that visitors read and no operator wrote, by its name; each language is one object of this shape, so that a
 * text that a language lacks does not compile. `{name}` is filled in; every language knows the same names (a test sees
 * to that).
 */
import type { IncidentStatus, MaintenanceStatus } from "../../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../../protocol/status.ts";

/** A text, or one for each form of the plural that the language has (CLDR's names); `{n}` chooses. */
export type Forms = string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** What the browser's script says too. It travels in the page's data: no functions, and nothing that it does not need. */
export interface LiveWords {
  /** For Intl: the language with its digits. */
  readonly intl: string;
  /** Of Intl's parts `weekday`, `day` and `month`. */
  readonly date: string;
  /** The same without the weekday. */
  readonly day: string;
  /** Between whole numbers and tenths. */
  readonly point: string;
  readonly and: string;
  readonly status: Readonly<Record<ComponentStatus, string>>;
  readonly allWell: string;
  /**
   * The headline of trouble in `{who}`: of one, behind a "|" of several where that reads differently, and behind another
   * of all that there are.
   */
  readonly is: Readonly<Record<Exclude<ComponentStatus, "operational">, string>>;
  /** `{who}` where it is all of them and the headline has no other words for that, and where it is `{n}` of `{total}`. */
  readonly all: string;
  readonly some: string;
  readonly nothing: string;
  readonly noNews: string;
  readonly tally: string;
  readonly asOfAgo: string;
  readonly noReport: string;
  readonly silentSince: string;
  readonly missingSince: string;
  readonly since: string;
  readonly sinceWhy: string;
  readonly noNumbers: string;
  readonly errorRatio: string;
  readonly perSecond: string;
  readonly perMinute: string;
  readonly fromOutside: string;
  readonly dataAge: string;
  readonly noData: string;
  readonly noTrouble: string;
  /** What a day can have had, by its letter in the read-out. */
  readonly trouble: Readonly<Record<"x" | "p" | "d" | "m" | "u", string>>;
  readonly seconds: string;
  readonly minutes: string;
  readonly hours: string;
  /** Always of two or more. */
  readonly days: string;
  readonly yourTime: string;
  /**
   * What worker/core says of trouble, which is English: patterns of its sentences and what they are in this language,
   * sentences first and what begins with another's beginning before that. None in English. The live page's script asks
   * for them once there is trouble.
   */
  readonly messages?: readonly (readonly [english: string, words: string])[];
}

/** Of charts, and of a component's own page. */
export interface ChartWords {
  readonly lastDay: string;
  /** Names of charts. */
  readonly responseTime: string;
  readonly p95Time: string;
  readonly errorRatio: string;
  readonly requests: string;
  /** Beside a chart: the newest value, if there is one, and the highest; and in words, with when that was. */
  readonly nowHighest: string;
  readonly noneHighest: string;
  readonly nowHighestAt: string;
  readonly noneHighestAt: string;
  /** How long nothing was seen, in all. */
  readonly gaps: string;
  readonly limit: string;
  /** What a shade is. */
  readonly incident: string;
  readonly maintenance: string;
  readonly band: string;
  readonly numbers: string;
  readonly day: string;
  readonly week: string;
  readonly month: string;
  readonly quarter: string;
  /** Where the archive is away, and no charts or only old ones are left. */
  readonly away: string;
  readonly old: string;
  readonly none: string;
  readonly table: string;
  readonly from: string;
  readonly liesIn: string;
  readonly over: string;
  readonly between: string;
  readonly uptime: string;
  readonly ninetyDays: string;
  readonly announced: string;
  readonly nothingAnnounced: string;
  readonly pastOf: string;
  readonly about: string;
}

/** What only the Worker says. */
export interface Words {
  readonly chart: ChartWords;
  readonly live: LiveWords;
  readonly asOf: string;
  readonly copy: string;
  readonly noScript: string;
  /** Of a copy on another host: of when it is, and where the page is. */
  readonly boatMade: string;
  readonly boat: string;
  readonly late: string;
  readonly restoring: string;
  readonly emptyRestoring: string;
  readonly empty: string;
  /** `{command}` is what an operator types. */
  readonly emptyNext: string;
  readonly components: string;
  readonly otherGroup: string;
  readonly allDays: string;
  readonly today: string;
  readonly dataOf: string;
  /** A day of the history and the days of uptime. */
  readonly noDataYet: string;
  readonly inDays: string;
  readonly historyStarts: string;
  readonly history: string;
  readonly maintenance: string;
  readonly scheduledMaintenance: string;
  readonly overdue: string;
  readonly confirmed: string;
  readonly unconfirmed: string;
  readonly affects: string;
  /** A month in a table's head, of Intl's part `month`. */
  readonly month: string;
  readonly thirtyDays: string;
  readonly uptimeByMonth: string;
  readonly corrected: string;
  readonly correction: string;
  readonly target: string;
  readonly targetLeft: string;
  readonly targetMissed: string;
  readonly targetRule: string;
  readonly counting: string;
  readonly countingRule: string;
  readonly countingBars: string;
  readonly countingP95: string;
  readonly countingOutside: string;
  readonly countingSilence: string;
  readonly frozen: string;
  readonly subscribe: string;
  readonly pastIncidents: string;
  readonly noIncidents: string;
  readonly allOfHistory: string;
  readonly lasted: string;
  readonly readOn: string;
  readonly earlierUpdates: Forms;
  readonly pastLink: string;
  readonly calendar: string;
  readonly badge: string;
  /** Of a visitor's own view of the page. */
  readonly ownViewLink: string;
  readonly ownView: string;
  readonly ownGone: Forms;
  readonly ownChange: string;
  readonly wholePage: string;
  readonly api: string;
  readonly statusJson: string;
  readonly pages: PagesWords;
}

/** Of single incidents and maintenances, of months, and of the choice of an own view. */
interface PagesWords {
  /** What people say of an incident or a maintenance. */
  readonly stage: Readonly<Record<IncidentStatus | MaintenanceStatus | "cancelled", string>>;
  readonly statusNow: string;
  readonly incident: string;
  readonly maintenance: string;
  readonly updates: string;
  readonly began: string;
  readonly stillOpen: string;
  /** A line of facts: by when people said that they would say more. */
  readonly nextUpdateBy: string;
  readonly after: string;
  readonly resolvedAt: string;
  readonly affects: string;
  readonly when: string;
  readonly wasPlanned: string;
  readonly addToCalendar: string;
  readonly beginsIn: string;
  readonly endsIn: string;
  readonly overdue: string;
  readonly emergency: string;
  readonly clusters: string;
  readonly kept: string;
  readonly written: string;
  readonly changed: string;
  readonly impact: Readonly<Record<Indicator, string>>;
  readonly openFor: string;
  readonly resolvedAfter: string;
  readonly quietMonth: string;
  readonly quietSoFar: string;
  readonly uptime: string;
  readonly daysFrom: string;
  readonly monthSoFar: string;
  readonly notKept: string;
  readonly pastOf: string;
  readonly viewLead: string;
  readonly nothing: string;
  readonly nothingHere: string;
  readonly viewAbout: string;
  readonly viewShow: string;
}
