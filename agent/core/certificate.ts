/**
 * The agent's book of certificates: places where they come and go, and what is told of each, once a fingerprint.
 *
 * A source tells at each look all that it sees. What differs from the book becomes events; what stays the same is judged
 * again as time goes by (`protocol/certificate.ts`).
 */
import {
  judgeCertificate,
  type CertificateCause,
  type CertificateJudgement,
  type CertificateLife,
  type CertificateSource,
} from "../../protocol/certificate.ts";
import type { EventKind, EventRecord } from "../../protocol/record.ts";
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";
import { heldNewer } from "./certificate-held.ts";
import { renewalAt, renewalShare } from "./certificate-renewal.ts";

/** Beyond it those that end last are left out, and how many is said. */
export const CERTIFICATES_MAX = 1_000;
/** Of those that many may be of workloads, which always end first and would leave out all others. */
const WORKLOADS_MAX = 700;
/** What is in the book stays there before what is not and ends so little earlier: half of a workload's usual day, ms. */
const STAYS_MS = 12 * HOUR;
/** Ends as metrics tell them move by this without another certificate being behind it: clocks and scrapes, ms. */
const SAME_END_MS = MINUTE;
/** What is missed so many looks in a row is gone, if its source sees others. */
const MISSED_MAX = 3;

/** What a look at one place has shown. */
export interface Sighting {
  readonly source: CertificateSource;
  /** `host:port`, `namespace/name`: what people would look for. */
  readonly location: string;
  /** Null where the source tells none: then another end is another certificate. */
  readonly fingerprint: string | null;
  /** `notAfter` null: there is one, and nothing new is known of it. */
  readonly life: CertificateLife;
  /** The root that its chain ends with, where that is shown. */
  readonly anchor: { readonly subject: string; readonly notAfter: Millis } | null;
  /** The names that it is for, sorted. They never leave the agent. */
  readonly names: readonly string[];
  /** What else an operator would ask for: subject, issuer, serial. */
  readonly facts: EventRecord["body"];
  /** How far its end may move with no other certificate behind it; absent: a minute. */
  readonly sameEndMs?: number;
}

/** A place with what is known of its certificate. It outlives the agent's process, so it is plain data. */
export interface Place {
  readonly sighting: Sighting;
  /** Since when this certificate is seen there, and when it was seen last. */
  readonly since: Millis;
  readonly seenAt: Millis;
  readonly missed: number;
  /** What was told of this fingerprint, so that nothing is told twice. */
  readonly told: readonly string[];
  readonly cause: CertificateCause | "not_served";
  /** Lifetime, ms, where it had to be learnt from a renewal. */
  readonly lifetimeMs: number | null;
  /** At which share of its life each of the last two was renewed. */
  readonly shares: readonly number[];
}

/** What is to be told. `key` makes the event's id, with its cluster and kind; `moments` belong to the body, as RFC 3339. */
export interface Told {
  readonly kind: EventKind;
  readonly key: readonly string[];
  readonly subject: string;
  readonly moments: Readonly<Record<string, Millis | null>>;
  readonly body: EventRecord["body"];
}

export class CertificateBook {
  readonly #places = new Map<string, Place>();
  readonly #leftOut = new Map<CertificateSource, number>();

  constructor(places: readonly Place[] = []) {
    for (const place of places.slice(0, CERTIFICATES_MAX)) this.#places.set(keyOf(place.sighting), place);
  }

  get places(): readonly Place[] {
    return [...this.#places.values()];
  }

  /** Certificates that were seen and not taken into the book. */
  get leftOut(): number {
    return [...this.#leftOut.values()].reduce((sum, count) => sum + count, 0);
  }

  /** All that `source` sees now. `unseen`: places of it that could not be looked at, which therefore are not gone. */
  see(
    source: CertificateSource,
    sightings: readonly Sighting[],
    unseen: ReadonlySet<string>,
    now: Millis,
  ): readonly Told[] {
    const kept = this.#soonest(source, sightings);
    this.#leftOut.set(source, sightings.length - kept.length);
    const told = kept.flatMap((sighting) => this.#take(sighting, now));
    const shown = new Set(sightings.map(({ location }) => location));
    const held = new Set(kept.map(({ location }) => location));
    for (const place of this.places) {
      const { source: own, location } = place.sighting;
      if (own !== source || held.has(location) || unseen.has(location)) continue;
      // One that is left out is not looked at: what was known of it must not grow old and end.
      told.push(...(shown.has(location) ? this.#forget(place) : this.#miss(place)));
    }
    return told;
  }

  /** As many as there is room for, those that end first. */
  #soonest(source: CertificateSource, sightings: readonly Sighting[]): readonly Sighting[] {
    const others = this.places.filter(({ sighting }) => sighting.source !== source);
    const workloads = others.filter(({ sighting }) => sighting.life.role === "workload").length;
    const isOfWorkloads = sightings.some(({ life }) => life.role === "workload");
    const all = CERTIFICATES_MAX - others.length;
    const room = isOfWorkloads ? Math.min(all, WORKLOADS_MAX - workloads) : all;
    if (sightings.length <= room) return sightings;
    const end = (sighting: Sighting): number =>
      (sighting.life.notAfter ?? 0) - (this.#places.has(keyOf(sighting)) ? STAYS_MS : 0);
    return sightings.toSorted((a, b) => end(a) - end(b)).slice(0, Math.max(0, room));
  }

  /** Forgets what belongs to sources that are not looked at any more. */
  keepOnly(sources: ReadonlySet<CertificateSource>): readonly Told[] {
    const gone = this.places.filter(({ sighting }) => !sources.has(sighting.source));
    for (const { sighting } of gone) this.#places.delete(keyOf(sighting));
    return gone.map(goneFrom);
  }

  /** What time has changed: overdue, ending, expired, or well at last. `isSeen`: what nobody sees is not judged. */
  judge(isSeen: (sighting: Sighting) => boolean, now: Millis): readonly Told[] {
    const all = this.places;
    return all.flatMap((place) => {
      if (!isSeen(place.sighting)) return [];
      const newer = heldNewer(place, all);
      const judged: Judged = newer === null ? judgeCertificate(place.sighting.life, now) : notServed(newer.location);
      return this.#say(place, judged);
    });
  }

  #take(sighting: Sighting, now: Millis): readonly Told[] {
    const key = keyOf(sighting);
    const former = this.#places.get(key);
    if (sighting.life.notAfter === null) {
      if (former !== undefined) this.#places.set(key, { ...former, seenAt: now, missed: 0 });
      return [];
    }
    if (former !== undefined && isSame(former.sighting, sighting)) {
      this.#places.set(key, { ...former, sighting: again(former, sighting), seenAt: now, missed: 0 });
      return [];
    }
    const place = former === undefined ? firstOf(sighting, now) : renewed(former, sighting, now);
    this.#places.set(key, place);
    return [toldOf(place, former, former === undefined ? "seen" : "renewed")];
  }

  #miss(place: Place): readonly Told[] {
    const key = keyOf(place.sighting);
    if (place.missed + 1 < MISSED_MAX) {
      this.#places.set(key, { ...place, missed: place.missed + 1 });
      return [];
    }
    return this.#forget(place);
  }

  #forget(place: Place): readonly Told[] {
    this.#places.delete(keyOf(place.sighting));
    return [goneFrom(place)];
  }

  /** Each cause once a fingerprint, and that it is well again only after something was wrong. */
  #say(place: Place, { verdict, cause, reason }: Judged): readonly Told[] {
    if (cause === place.cause && place.told.includes(`${cause} ${verdict}`)) return [];
    const isHealed = cause === "well" && place.cause !== "well";
    const mark = isHealed ? `well after ${place.cause}` : `${cause} ${verdict}`;
    const kind = isHealed ? "certificate.healed" : KIND_OF[cause];
    const isNew = kind !== null && !place.told.includes(mark);
    this.#places.set(keyOf(place.sighting), {
      ...place,
      cause,
      told: place.told.includes(mark) ? place.told : [...place.told, mark],
    });
    if (!isNew) return [];
    const { location } = place.sighting;
    const body = { ...bodyOf(place), verdict, says: `${location}: ${reason}` };
    const moments = momentsOf(place);
    return [{ kind, key: [location, ...identityOf(place.sighting), mark], subject: location, moments, body }];
  }
}

interface Judged extends Omit<CertificateJudgement, "cause"> {
  readonly cause: Place["cause"];
}

const KIND_OF = {
  well: null,
  unreadable: null,
  overdue: "certificate.overdue",
  ending: "certificate.expiring",
  expired: "certificate.expired",
  not_yet_valid: "certificate.not_yet_valid",
  not_served: "certificate.not_served",
} as const satisfies Record<Place["cause"], EventKind | null>;

function notServed(location: string): Judged {
  const reason = `a newer certificate for the same names is in ${location}, and the old one is still served: restart what serves it`;
  return { verdict: "critical", cause: "not_served", reason };
}

function keyOf({ source, location }: Sighting): string {
  return `${source}\0${location}`;
}

/** What makes it another certificate in the same place. */
function identityOf({ source, fingerprint, life }: Sighting): readonly string[] {
  return [source, fingerprint ?? String(life.notAfter)];
}

function isSame(former: Sighting, now: Sighting): boolean {
  if (former.fingerprint !== null || now.fingerprint !== null) return former.fingerprint === now.fingerprint;
  const [a, b] = [former.life.notAfter ?? 0, now.life.notAfter ?? 0];
  return Math.abs(a - b) <= (now.sameEndMs ?? SAME_END_MS);
}

function firstOf(sighting: Sighting, now: Millis): Place {
  const learnt = { lifetimeMs: null, shares: [] };
  return {
    sighting: withRenewal(sighting, learnt),
    since: now,
    seenAt: now,
    missed: 0,
    told: [],
    cause: "well",
    ...learnt,
  };
}

/** The same certificate seen again. Of one whose end jitters the first word stays. */
function again(former: Place, sighting: Sighting): Sighting {
  if (sighting.fingerprint !== null) return withRenewal(sighting, former);
  const { life } = former.sighting;
  return { ...sighting, life: { ...life, renewAt: sighting.life.renewAt ?? life.renewAt } };
}

/** A renewal is where lifetimes, and when they are renewed, are learnt. */
function renewed(former: Place, sighting: Sighting, now: Millis): Place {
  const ends = sighting.life.notAfter ?? now;
  // An older one that was put back tells nothing.
  const isLater = ends > (former.sighting.life.notAfter ?? 0);
  // Of a new one the whole life is left, but for what passed since the last look.
  const lifetimeMs = sighting.life.notBefore === null && isLater ? ends - now : former.lifetimeMs;
  const share = isLater ? renewalShare(former.sighting.life, now) : null;
  const shares = share === null ? former.shares : [...former.shares, share].slice(-2);
  return { ...firstOf(sighting, now), lifetimeMs, shares, sighting: withRenewal(sighting, { lifetimeMs, shares }) };
}

/** The sighting with what is known beside it: a lifetime that was learnt, and when it should be renewed. */
function withRenewal(sighting: Sighting, { lifetimeMs, shares }: Pick<Place, "lifetimeMs" | "shares">): Sighting {
  const { life } = sighting;
  const { notAfter } = life;
  const notBefore = life.notBefore ?? (notAfter === null || lifetimeMs === null ? null : notAfter - lifetimeMs);
  const dated = { ...life, notBefore };
  return { ...sighting, life: { ...dated, renewAt: life.renewAt ?? renewalAt(sighting.source, dated, shares) } };
}

function toldOf(place: Place, former: Place | undefined, what: "seen" | "renewed" | "gone"): Told {
  const { location, life } = place.sighting;
  const kind = life.role === "workload" ? (`mesh_certificate.${what}` as const) : (`certificate.${what}` as const);
  const before = former?.sighting;
  return {
    kind,
    key: [location, ...identityOf(place.sighting)],
    subject: location,
    moments: { ...momentsOf(place), ...(before === undefined ? {} : { formerNotAfter: before.life.notAfter }) },
    body: { ...bodyOf(place), ...(before === undefined ? {} : { formerFingerprint: before.fingerprint }) },
  };
}

function goneFrom(place: Place): Told {
  const told = toldOf(place, undefined, "gone");
  return { ...told, key: [...told.key, String(place.since)] };
}

function bodyOf({ sighting }: Place): EventRecord["body"] {
  const { source, location, fingerprint, life, anchor, facts } = sighting;
  const { notBefore, notAfter, role, chain } = life;
  const lifetime = notBefore === null || notAfter === null ? null : notAfter - notBefore;
  return {
    location,
    source,
    role,
    ...facts,
    fingerprint,
    lifetimeHours: lifetime === null ? null : Math.round((lifetime / HOUR) * 100) / 100,
    ...(chain === null ? {} : { chainEarliestSubject: chain.subject }),
    ...(anchor === null ? {} : { anchorSubject: anchor.subject }),
  };
}

function momentsOf({ sighting }: Place): Told["moments"] {
  const { notBefore, notAfter, renewAt, chain } = sighting.life;
  return {
    notBefore,
    notAfter,
    renewAt,
    ...(chain === null ? {} : { chainEarliestNotAfter: chain.notAfter, chainEarliestNotBefore: chain.notBefore }),
    ...(sighting.anchor === null ? {} : { anchorNotAfter: sighting.anchor.notAfter }),
  };
}
