/**
 * The page as code: a file with a section for each subject. A section reads what stands as a file says it, and writes what
 * a file says over what stands; `plan.ts` compares what is read before and after. So what was applied is what is read,
 * and a plan of what stands is empty.
 *
 * A section that a file leaves out stays as it is. In one that it has, what is left out is what a new page has.
 */
import type { Result } from "../../../protocol/result.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { Component } from "../component.ts";
import type { Series } from "../schedule.ts";
import type { Reported } from "../selector.ts";
import type { PageSettings } from "../snapshot.ts";

/** All that a file can say something of. */
export interface Configured {
  readonly page: PageSettings;
  readonly components: readonly Component[];
  /** Also those that were ended. */
  readonly series: readonly Series[];
}

/** Why a file cannot be applied, and where in it. */
export interface ConfigFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What writing needs besides the file. */
export interface Making {
  readonly now: Millis;
  readonly freshId: () => string;
  /** Who has it written. */
  readonly by: string;
  /** What clusters report: selectors choose from it. */
  readonly reported: readonly Reported[];
  /** The page's name where no file and nobody else says one. */
  readonly deploymentName: string;
  readonly deploymentZone: string;
}

export interface Section<Name extends string, Written> {
  readonly name: Name;
  readonly read: (state: Configured) => Written;
  readonly write: (state: Configured, said: Written, making: Making) => Result<Configured, ConfigFault>;
  /** Of a section that is a list: what its entries are known by, what they are called, and whether their order counts. */
  readonly list?: {
    readonly keyOf: (entry: Written extends readonly (infer Entry)[] ? Entry : never) => string;
    readonly nameOf: (entry: Written extends readonly (infer Entry)[] ? Entry : never) => string;
    readonly isOrdered: boolean;
    /** Fields that are no change by themselves. */
    readonly silent?: readonly string[];
  };
}

/** Without what is absent: a file says only what there is. */
export function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } {
  // Each value is the field's own; what is undefined is left out.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
