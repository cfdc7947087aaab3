import * as v from "valibot";

/** A cluster's name: a DNS label, 1 to 63 characters. */
export const ClusterName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -, at most 63"),
);

export const SERVICE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** A workload as `namespace/name`, each as Kubernetes allows it. A service's identity within its cluster. */
export const ServiceName = v.pipe(v.string(), v.regex(SERVICE_NAME, "must be namespace/name"));

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const UNPRINTABLE_TEXT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]/;

/**
 * Whether a text of several lines has nothing but letters, line ends and tabs; whoever writes from right to left may
 * isolate, but not override.
 */
export function isPrintable(text: string): boolean {
  return !UNPRINTABLE_TEXT.test(text) && text.isWellFormed();
}

/** A text as `isPrintable` wants it, with a space for each letter that it refuses. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(new RegExp(UNPRINTABLE_TEXT, "g"), " ");
}

/** A text as `line` wants it, whatever its length. */
export function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(new RegExp(UNPRINTABLE, "g"), " ").replaceAll(/\s+/g, " ").trim();
}

/**
 * One line of human text without control characters, bidirectional overrides or lone surrogates, at most `max`
 * UTF-16 units. Names and reasons travel to pages, feeds and terminals, and each of these could forge a line there.
 */
export function line(max: number) {
  return v.pipe(
    v.string(),
    v.maxLength(max, `must be at most ${max} characters`),
    v.check((text) => !UNPRINTABLE.test(text) && text.isWellFormed(), "has control characters"),
  );
}
