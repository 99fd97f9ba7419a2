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
  /** Whether this is a change that was published under another sequence: stored twice, or again in a rebuilt stream. */
  repeats(message: StreamMessage): boolean;
  publish(message: StreamMessage): void;
  /** The stream was made anew and counts from 1; what was published stays known by its version. */
  rebuilt(): void;
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

  rebuilt(): void {
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
/** By how much the clocks of those who write events may differ. */
const clockToleranceMs = 60_000;

/** For a topic with wildcard. */
export class SubjectPositions implements Positions {
  sequence = 0;
  /** By subject, the one that published longest ago first. */
  readonly #subjects = new Map<string, SubjectPosition>();
  readonly #remembered: number;
  /** Everything up to here counts as published. */
  #floor = 0;
  /** When the youngest published event happened, and that moment when the stream was last made anew. */
  #newest = -Infinity;
  #newestBeforeRebuild: number | undefined;

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

  repeats(message: StreamMessage): boolean {
    const known = this.#subjects.get(message.subject);
    if (known !== undefined) return message.version !== undefined && message.version <= known.version;
    if (this.#newestBeforeRebuild === undefined || message.time === undefined) return false;
    return message.time < this.#newestBeforeRebuild - clockToleranceMs;
  }

  publish(message: StreamMessage): void {
    const { subject, sequence, version = 0, time } = message;
    const known = this.#subjects.get(subject);
    this.#subjects.delete(subject);
    this.#subjects.set(subject, { sequence, version: Math.max(version, known?.version ?? 0) });
    this.sequence = Math.max(this.sequence, sequence);
    if (time !== undefined) this.#newest = Math.max(this.#newest, time);
    if (this.#subjects.size <= this.#remembered) return;
    const oldest = this.#subjects.entries().next().value;
    if (oldest === undefined) return;
    this.#subjects.delete(oldest[0]);
    this.#floor = Math.max(this.#floor, oldest[1].sequence);
  }

  rebuilt(): void {
    this.sequence = 0;
    this.#floor = 0;
    this.#newestBeforeRebuild = this.#newest;
    for (const position of this.#subjects.values()) position.sequence = 0;
  }
}
