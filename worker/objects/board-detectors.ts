/**
 * What operators wish of the detectors of anomalies, cluster by cluster: the threshold is a setting of the page, a
 * question is asked once and answered by the agent, and what was not usual is told along. It travels with the limits
 * (board-policies.ts): in answer to each tell, and at once where an operator waits.
 */
import type { DetectorCommand, DetectorWish } from "../../protocol/detector.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Tell } from "../core/component.ts";
import type { DetectorBook, DetectorView, Question, ThresholdSetting } from "../core/detector.ts";
import { commandOf, detectorOf, isAsked, nextWish, unusualOf, withAnswer } from "../core/detector.ts";
import type { PageSettings } from "../core/snapshot.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
import type { TellMemory } from "./tell-memory.ts";

/** A cluster's detector, with what was wished of it and what it answered. */
export interface DetectorPage {
  /** The Worker of the release before reads it, while a deploy goes out. */
  readonly page: PageSettings;
  readonly view: DetectorView;
  /** Null: the agent's own. */
  readonly wished: ThresholdSetting | null;
  /** Of the newest wish, and of the newest one that the agent has taken in; null where there is none. */
  readonly generation: number | null;
  readonly observed: number | null;
  readonly command: DetectorCommand | null;
  /** What the agent says of the command meanwhile. */
  readonly answer: NonNullable<Tell["detector"]>["answer"];
  readonly answered: DetectorBook["answered"];
  readonly unusual: DetectorWish["unusual"];
}

export class BoardDetectors {
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;

  constructor(held: { readonly memory: BoardMemory; readonly tells: TellMemory }) {
    this.#memory = held.memory;
    this.#tells = held.tells;
  }

  /** What its agent should be told; null if nothing was ever wished, or if the agent knows nothing of wishes. */
  wishFor(cluster: string): DetectorWish | null {
    const detector = this.#tells.get(cluster)?.detector;
    if (detector === undefined) return null;
    const held = this.#memory.get("detector", cluster);
    const book = held === null ? null : withAnswer(held, detector.answer);
    const now = Date.now();
    const said = {
      maintenances: this.#memory.all("maintenance"),
      announcements: this.#memory.all("announcement"),
      incidents: this.#memory.all("incident"),
    };
    const wanted = {
      cluster,
      threshold: this.#setting(cluster)?.threshold ?? null,
      unusual: unusualOf(cluster, this.#memory.componentsOf(cluster), said, now),
      command: book?.wish.command ?? null,
    };
    const wish = nextWish(held?.wish ?? null, wanted, detector.observedGeneration, now);
    if (wish !== null && wish !== held?.wish)
      this.#memory.put("detector", cluster, { wish, answered: book?.answered ?? [] });
    return wish;
  }

  #setting(cluster: string): ThresholdSetting | null {
    return this.#memory.get("page", "page")?.anomalies?.[cluster] ?? null;
  }

  /** Sets from which score on a cluster's agent raises; null for its own. False if there is no such cluster. */
  setThreshold(cluster: string, threshold: number | null, page: PageSettings, by: string): boolean {
    if (this.#memory.get("cluster", cluster) === null) return false;
    const now = Date.now();
    const { anomalies = {}, ...rest } = page;
    const { [cluster]: _, ...others } = anomalies;
    const set = threshold === null ? others : { ...others, [cluster]: { threshold, at: now } };
    const changed = Object.keys(set).length === 0 ? rest : { ...rest, anomalies: set };
    this.#memory.putPage(changed, "anomalies.threshold", by, now, `${cluster} ${threshold ?? "its own"}`);
    return true;
  }

  /** Asks a cluster's detector. One question is answered at a time. */
  ask(cluster: string, question: Question, by: string): Result<DetectorCommand, "not_found" | "deaf" | "busy"> {
    if (this.#memory.get("cluster", cluster) === null) return failure("not_found");
    const tell = this.#tells.get(cluster);
    if (tell?.detector === undefined) return failure("deaf");
    const now = Date.now();
    this.wishFor(cluster);
    const held = this.#memory.get("detector", cluster);
    if (isAsked(held?.wish.command ?? null, tell, now)) return failure("busy");
    const command = commandOf(question, freshId(), by, now);
    const wanted = {
      cluster,
      threshold: this.#setting(cluster)?.threshold ?? null,
      unusual: held?.wish.unusual ?? [],
      command,
    };
    const wish = nextWish(held?.wish ?? null, wanted, tell.detector.observedGeneration, now);
    if (wish === null) return failure("deaf");
    this.#memory.put("detector", cluster, { wish, answered: held?.answered ?? [] });
    this.#memory.audit(`anomalies.${question.kind}`, cluster, by, now);
    return success(command);
  }

  /** What an operator is shown; null if there is no such cluster. */
  pageOf(cluster: string, page: PageSettings): DetectorPage | null {
    if (this.#memory.get("cluster", cluster) === null) return null;
    const tell = this.#tells.get(cluster);
    const book = this.#memory.get("detector", cluster);
    const command = book?.wish.command ?? null;
    const answer = tell?.detector?.answer ?? null;
    return {
      page,
      view: detectorOf(cluster, tell, Date.now()),
      wished: this.#setting(cluster),
      generation: book?.wish.generation ?? null,
      observed: tell?.detector?.observedGeneration ?? null,
      command,
      answer: answer?.id === command?.id ? answer : null,
      answered: book?.answered ?? [],
      unusual: book?.wish.unusual ?? [],
    };
  }
}
