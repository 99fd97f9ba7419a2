// Where a topic stands: which messages it has published, and whether one is missing before the next. Pure.
import type { StreamMessage } from './source.ts';

/** The place of a topic in its stream. Messages of one subject come in order; those of different subjects nearly so. */
export interface Positions {
  /** The greatest sequence that was published or was there before. */
  readonly sequence: number;
  /** Everything up to `sequence` was there before. */
  startAt(sequence: number): void;
  /** Whether the message was published before. */
  seen(message: StreamMessage): boolean;
  /** From where to read the stream when a message before this one is missing; undefined when none is. */
  missingFrom(message: StreamMessage): number | undefined;
  /**
   * Whether this is a change that was published, or there before, under another sequence: stored twice, or again in a rebuilt stream.
   * @param identity of the stream as it is now.
   */
  repeats(message: StreamMessage, identity: string): boolean;
  publish(message: StreamMessage): void;
  /** The stream of this identity is lost, and another counts from 1. What was published stays known by its version or first place. */
  lost(identity: string): void;
}

/** For a topic of one subject: two numbers, as there may be a hundred thousand of them. */
export class ExactPosition implements Positions {
  sequence = 0;
  #version = 0;

  startAt(sequence: number): void {
    this.sequence = sequence;
  }

  seen(message: StreamMessage): boolean {
    return message.sequence <= this.sequence;
  }

  missingFrom(message: StreamMessage): number | undefined {
    return message.previous !== undefined && message.previous > this.sequence ? this.sequence + 1 : undefined;
  }

  repeats(message: StreamMessage): boolean {
    return message.version !== undefined && message.version <= this.#version;
  }

  publish(message: StreamMessage): void {
    this.sequence = message.sequence;
    if (message.version !== undefined) this.#version = Math.max(this.#version, message.version);
  }

  lost(): void {
    this.sequence = 0;
  }
}

interface SubjectPosition {
  sequence: number;
  version: number;
}

/** How many subjects a topic with wildcard knows one by one; of the others it knows that they are not behind the oldest of these. */
const rememberedSubjects = 10_000;
/** How far back a repair reads at most when a single message was lost without a disconnect. */
const repairReach = 2_000;

/** For a topic with wildcard. */
export class SubjectPositions implements Positions {
  sequence = 0;
  /** By subject, the one that published longest ago first. */
  readonly #subjects = new Map<string, SubjectPosition>();
  readonly #remembered: number;
  /** Everything up to here counts as published. */
  #floor = 0;
  /** Up to where each lost stream was published, by its identity. */
  readonly #lost = new Map<string, number>();

  constructor(remembered: number = rememberedSubjects) {
    this.#remembered = remembered;
  }

  startAt(sequence: number): void {
    this.sequence = sequence;
    this.#floor = sequence;
  }

  seen(message: StreamMessage): boolean {
    return message.sequence <= Math.max(this.#floor, this.#subjects.get(message.subject)?.sequence ?? 0);
  }

  missingFrom(message: StreamMessage): number | undefined {
    const { previous } = message;
    const known = Math.max(this.#floor, this.#subjects.get(message.subject)?.sequence ?? 0);
    if (previous === undefined || previous <= known) return undefined;
    return Math.min(previous, Math.max(this.#floor + 1, this.sequence - repairReach));
  }

  repeats({ subject, version, firstStored: first }: StreamMessage, identity: string): boolean {
    const known = this.#subjects.get(subject);
    if (known !== undefined && version !== undefined && version <= known.version) return true;
    if (first === undefined) return false;
    // A stream that this topic never saw was lost before it began. Of the present one only the end was lost.
    const reached = first.identity === identity ? this.#floor : (this.#lost.get(first.identity) ?? Infinity);
    return first.sequence <= reached;
  }

  publish(message: StreamMessage): void {
    const { subject, sequence, version = 0 } = message;
    const known = this.#subjects.get(subject);
    this.#subjects.delete(subject);
    this.#subjects.set(subject, { sequence, version: Math.max(version, known?.version ?? 0) });
    this.sequence = Math.max(this.sequence, sequence);
    if (this.#subjects.size <= this.#remembered) return;
    const oldest = this.#subjects.entries().next().value;
    if (oldest === undefined) return;
    this.#subjects.delete(oldest[0]);
    this.#floor = Math.max(this.#floor, oldest[1].sequence);
  }

  lost(identity: string): void {
    this.#lost.set(identity, this.sequence);
    this.sequence = 0;
    this.#floor = 0;
    for (const position of this.#subjects.values()) position.sequence = 0;
  }
}
