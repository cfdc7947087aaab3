/** What the source of certificates sees of each of its parts. A blind one is not good news: it is said, and never "none". */
import type { CertificateSource } from "../../protocol/certificate.ts";
import { BLIND_MAX, type SourceState } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { CertificateBook, Sighting } from "./certificate.ts";
import { plainLine } from "./text.ts";

/** What one look has shown of one part; `mesh` stands for all that is asked of Prometheus. */
export interface Shown {
  readonly source: CertificateSource | "mesh";
  readonly sightings: readonly Sighting[];
  /** Places that could not be looked at, and why. */
  readonly unseen: ReadonlyMap<string, string>;
  /** Why not all was seen; null if it was. */
  readonly fault: string | null;
  readonly note: string | null;
}

interface Part {
  readonly everyMs: number;
  readonly okAt: Millis | null;
  readonly fault: string | null;
  readonly note: string | null;
  /** Since when each place could not be looked at, and why. */
  readonly unseen: ReadonlyMap<string, { readonly since: Millis; readonly why: string }>;
  /** Whether anything of it was ever shown: a mesh of which nothing is told has no such part. */
  readonly isThere: boolean;
}

/** What was not seen for so many intervals is unknown. */
const BLIND_INTERVALS = 3;
const LISTED_MAX = 3;
const NOT_YET = "not looked at yet";

export class CertificateParts {
  readonly #parts = new Map<Shown["source"], Part>();

  expect(source: Shown["source"], everyMs: number): void {
    this.#parts.set(source, { everyMs, okAt: null, fault: NOT_YET, note: null, unseen: new Map(), isThere: false });
  }

  take({ source, sightings, unseen, fault, note }: Shown, now: Millis): void {
    const former = this.#parts.get(source);
    if (former === undefined) return;
    const since = (place: string): Millis => former.unseen.get(place)?.since ?? now;
    this.#parts.set(source, {
      ...former,
      okAt: fault === null ? now : former.okAt,
      fault,
      note,
      unseen: new Map([...unseen].map(([place, why]) => [place, { since: since(place), why }])),
      isThere: former.isThere || sightings.length > 0,
    });
  }

  isSeen({ source, location }: Sighting, now: Millis): boolean {
    const part = this.#parts.get(source);
    const place = part?.unseen.get(location);
    return part !== undefined && !isBlind(part, now) && (place === undefined || !isLong(part, place.since, now));
  }

  state(book: CertificateBook, writeFault: string | null, now: Millis): SourceState {
    const known = new Set(book.places.map(({ sighting }) => sighting.source));
    // A mesh without ztunnel does not lack it.
    const parts = [...this.#parts].filter(([source, { isThere }]) => {
      return isThere || LOOKED_FOR.has(source) || (source !== "mesh" && known.has(source));
    });
    const okAt = parts.reduce<Millis | null>((last, [, part]) => laterOf(last, part.okAt), null);
    const faults = parts.flatMap(([source, part]) => faultsOf(source, part));
    const notes = [
      ...parts.flatMap(([, { note }]) => (note === null ? [] : [note])),
      ...(book.leftOut === 0 ? [] : [`${book.leftOut} certificates that end later are left out`]),
      ...(writeFault === null ? [] : [writeFault]),
    ];
    const detail = plainLine([...faults, ...notes].join("; "), 300);
    const blind = [...this.#parts]
      .flatMap(([source, part]) => blindOf(source, part, now))
      .filter((name) => {
        const [source] = name.split(" ");
        return [...known].some((one) => one === source);
      });
    const isDown = parts.every(([, part]) => isBlind(part, now));
    return {
      state: isDown ? "down" : faults.length > 0 ? "stale" : "ok",
      detail: detail === "" ? null : detail,
      okAt,
      ...(blind.length === 0 ? {} : { blind: blind.slice(0, BLIND_MAX) }),
    };
  }
}

/** Looked for where they are; every other source is a metric, and such a part is there once something of it was told. */
const LOOKED_FOR: ReadonlySet<Shown["source"]> = new Set(["tls", "secret", "cert-manager", "mesh"]);

function isBlind(part: Part, now: Millis): boolean {
  return part.okAt === null || (part.fault !== null && isLong(part, part.okAt, now));
}

function isLong({ everyMs }: Part, since: Millis, now: Millis): boolean {
  return now - since >= BLIND_INTERVALS * everyMs;
}

function faultsOf(source: Shown["source"], { fault, unseen }: Part): readonly string[] {
  if (fault !== null) return [`${source}: ${fault}`];
  if (unseen.size === 0) return [];
  const listed = [...unseen].slice(0, LISTED_MAX).map(([place, { why }]) => `${place} ${why}`);
  return [`${source}: ${unseen.size} not seen: ${listed.join("; ")}`];
}

/** The part, or those places of it that were not seen for too long. */
function blindOf(source: Shown["source"], part: Part, now: Millis): readonly string[] {
  if (isBlind(part, now)) return [source];
  const places = [...part.unseen].filter(([, { since }]) => isLong(part, since, now));
  return places.length > BLIND_MAX / 2 ? [source] : places.map(([place]) => `${source} ${place}`);
}

function laterOf(a: Millis | null, b: Millis | null): Millis | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
