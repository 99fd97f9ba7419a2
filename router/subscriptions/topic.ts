// A topic: one subject of one stream that somebody watches. It turns what the broker sends into a record without gap or repeat.
import { codeOf } from '../../service/errors.ts';
import type { Logger } from '../../service/log.ts';
import type { Group } from './group.ts';
import type { LiveMetrics } from './live-metrics.ts';
import type { Listener, Source, StreamMessage, Watch } from './source.ts';
import { ExactPosition, SubjectPositions } from './positions.ts';
import type { Positions } from './positions.ts';
import { isWildcard } from './subject-template.ts';

/** One event of a topic. */
export interface TopicEvent {
  readonly subject: string;
  /** Counts the live events of the topic, from 1; 0 for one that was read for a subscriber that starts. */
  readonly order: number;
  /** What a cursor made from this event says: all up to here was given. */
  readonly sequence: number;
  /** The identity of the stream that the sequence counts in. */
  readonly identity: string;
  /** The payload, shared by all groups: only to be read. Undefined when it is no JSON object. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  readonly traceparent: string | undefined;
}

export type Replay = readonly TopicEvent[] | 'too long' | 'expired';

export interface TopicDeps {
  readonly source: Source;
  readonly log: Logger;
  readonly metrics: LiveMetrics;
}

const repairRetryMs = 500;
/** One for all topics that have started. */
const done = Promise.resolve();

/**
 * Watches one subject while anybody uses it. Every event is published once, in stream order (with a wildcard, an event repaired
 * late comes after younger ones of other subjects, never of its own).
 */
export class Topic implements Listener {
  readonly stream: string;
  readonly subject: string;
  readonly wildcard: boolean;
  /** Groups that get each event. */
  groups: readonly Group[] = [];
  /** Settles when the topic is live; rejects with CodedError when the broker or the stream cannot be reached. */
  started: Promise<void>;

  readonly #deps: TopicDeps;
  #users = 0;
  #closed = false;
  #watch: Watch | undefined;
  #identity = '';
  /** The last event; kept only where it is the present state, that is without wildcard. */
  #last: TopicEvent | undefined;
  /** Messages that came while reading from the stream; undefined when live. */
  #held: StreamMessage[] | undefined = [];
  readonly #positions: Positions;
  #published = 0;
  #firstEvent: (() => void)[] | undefined;
  #replays: Map<string, Promise<Replay>> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #repairs = 0;

  /** @param within a subject that covers `subject`: topics within the same one share a subscription at the broker. */
  constructor(stream: string, subject: string, within: string, deps: TopicDeps) {
    this.stream = stream;
    this.subject = subject;
    this.wildcard = isWildcard(subject);
    this.#positions = this.wildcard ? new SubjectPositions() : new ExactPosition();
    this.#deps = deps;
    this.started = this.#start(within);
    this.started.then(
      () => (this.started = done),
      // Whoever subscribes awaits it; a topic that nobody waits for any more must not end the process.
      () => undefined,
    );
  }

  /** All events up to here were published, or were there before the topic. */
  get sequence(): number {
    return this.#positions.sequence;
  }

  /** How many live events there were. */
  get published(): number {
    return this.#published;
  }

  get identity(): string {
    return this.#identity;
  }

  /** The present state of a topic without wildcard: its last event, if it ever had one. */
  get last(): TopicEvent | undefined {
    return this.#last;
  }

  /** Counts one more user; the last to leave closes the topic. */
  use(): void {
    this.#users += 1;
  }

  /** Returns whether that was the last user and the topic is closed. */
  leave(): boolean {
    this.#users -= 1;
    if (this.#users > 0) return false;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#watch?.remove(this.subject, this);
    return true;
  }

  /** Waits for an event until `timeoutMs` have passed; the answer is the last event, or undefined. */
  async firstEvent(timeoutMs: number): Promise<TopicEvent | undefined> {
    if (this.#last === undefined && timeoutMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      (this.#firstEvent ??= []).push(resolve);
      await promise;
      clearTimeout(timer);
    }
    return this.#last;
  }

  /**
   * The stored events behind `after`, up to and with `until`, oldest first; `'too long'` when they are more than `limit`, `'expired'`
   * when some of them may have been given before the stream was lost. Subscribers that resume together share one reading.
   */
  replay(after: number, until: number, limit: number): Promise<Replay> {
    const key = `${String(after)} ${String(until)}`;
    const running = this.#replays?.get(key);
    if (running !== undefined) return running;
    const replays = (this.#replays ??= new Map<string, Promise<Replay>>());
    const reading = this.#readStored(after, until, limit).finally(() => {
      replays.delete(key);
      if (replays.size === 0) this.#replays = undefined;
    });
    replays.set(key, reading);
    return reading;
  }

  /** The newest stored event, also of a topic with wildcard. */
  async newest(): Promise<TopicEvent | undefined> {
    const message = await this.#deps.source.last(this.stream, this.subject);
    return message === undefined ? undefined : this.#eventOf(message, message.sequence, 0);
  }

  /** The broker is back, perhaps without its storage: what it sends says nothing until the stream was looked at. `repair` goes on. */
  suspend(): void {
    if (this.#closed || this.#identity === '') return;
    this.#held ??= [];
    clearTimeout(this.#retry);
    this.#repairs += 1;
  }

  /** The broker was away: what was missed is read from the stream. Call it once the stream's state is known. */
  repair(identity: string): void {
    if (this.#closed || this.#identity === '') return;
    if (identity !== this.#identity) {
      this.#deps.log.warn({ stream: this.stream, subject: this.subject }, 'the stream was made anew');
      this.#positions.lost(this.#identity);
      this.#identity = identity;
    }
    this.#readFrom(this.#positions.sequence + 1);
  }

  async #readStored(after: number, until: number, limit: number): Promise<Replay> {
    const events: TopicEvent[] = [];
    const versions = new Map<string, number>();
    for (let from = after + 1; from <= until;) {
      const message = await this.#deps.source.next(this.stream, this.subject, from);
      if (message === undefined || message.sequence > until) break;
      from = message.sequence + 1;
      const { subject, version, firstStored } = message;
      if (this.wildcard && firstStored !== undefined) {
        // Of a stream that lost only its end, the cursor's place still says what was given.
        if (firstStored.identity !== this.#identity) return 'expired';
        if (firstStored.sequence <= after) continue;
      }
      if (version !== undefined) {
        // The same change, stored twice by an outbox that could not know better.
        if (version <= (versions.get(subject) ?? 0)) continue;
        versions.set(subject, version);
      }
      if (events.length === limit) return 'too long';
      events.push(this.#eventOf(message, message.sequence, 0));
    }
    return events;
  }

  async #start(within: string): Promise<void> {
    const { source } = this.#deps;
    const watch = await source.watch(this.stream, this.subject, within, this);
    if (this.#closed) return watch.remove(this.subject, this);
    this.#watch = watch;
    // Asked behind the watch: what is stored later comes through the watch.
    const [state, last] = await Promise.all([
      source.describe(this.stream),
      this.wildcard ? undefined : source.last(this.stream, this.subject),
    ]);
    this.#identity = state.identity;
    if (this.wildcard) this.#positions.startAt(state.lastSequence);
    if (last !== undefined) {
      this.#positions.publish(last);
      this.#last = this.#eventOf(last, last.sequence, 0);
    }
    this.#release();
  }

  /** A message as it comes live. */
  receive(message: StreamMessage): void {
    this.#deps.metrics.events.inc();
    if (this.#held === undefined) this.#accept(message);
    else this.#held.push(message);
  }

  #accept(message: StreamMessage): void {
    if (this.#positions.seen(message)) {
      this.#suspectRebuiltStream(message);
      return;
    }
    const missingFrom = this.#positions.missingFrom(message);
    if (missingFrom !== undefined) {
      this.#deps.metrics.gaps.inc();
      (this.#held ??= []).push(message);
      this.#readFrom(missingFrom);
      return;
    }
    this.#publish(message);
  }

  #publish(message: StreamMessage): void {
    const repeats = this.#positions.repeats(message, this.#identity);
    this.#positions.publish(message);
    if (repeats) return;
    this.#published += 1;
    const event = this.#eventOf(message, this.#positions.sequence, this.#published);
    // Without the trace: that is of the moment.
    if (!this.wildcard) this.#last = { ...event, traceparent: undefined };
    if (this.#firstEvent !== undefined) {
      for (const resolve of this.#firstEvent) resolve();
      this.#firstEvent = undefined;
    }
    for (const group of this.groups) group.publish(event);
  }

  /** Goes live: what was held is looked at like any message; a gap in it starts another repair. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [index, message] of held.entries()) {
      if (this.#positions.seen(message)) continue;
      this.#accept(message);
      if (this.#isReading()) {
        // The message itself is held again, and those behind it wait with it.
        this.#hold(held.slice(index + 1));
        return;
      }
    }
  }

  #isReading(): boolean {
    return this.#held !== undefined;
  }

  #hold(messages: readonly StreamMessage[]): void {
    this.#held = [...(this.#held ?? []), ...messages];
  }

  /** Reads from the stream what did not come live, then goes live again. Tries again until it succeeds or the topic closes. */
  #readFrom(sequence: number): void {
    this.#held ??= [];
    clearTimeout(this.#retry);
    const run = (this.#repairs += 1);
    const current = (): boolean => !this.#closed && run === this.#repairs;
    void (async () => {
      try {
        let from = sequence;
        for (;;) {
          const message = await this.#deps.source.next(this.stream, this.subject, from);
          if (!current()) return;
          if (message === undefined) break;
          from = message.sequence + 1;
          if (this.#positions.seen(message)) continue;
          this.#deps.metrics.repaired.inc();
          this.#publish(message);
        }
        this.#release();
      } catch (error) {
        if (!current()) return;
        this.#deps.log.warn({ error, code: codeOf(error), subject: this.subject }, 'a gap could not be repaired yet');
        this.#retry = setTimeout(() => this.#readFrom(sequence), repairRetryMs);
      }
    })();
  }

  /** A message that was already seen does not come live again, unless the stream counts anew. */
  #suspectRebuiltStream(message: StreamMessage): void {
    (this.#held ??= []).push(message);
    void (async () => {
      try {
        this.repair((await this.#deps.source.describe(this.stream)).identity);
      } catch (error) {
        this.#deps.log.warn({ error, stream: this.stream }, 'the stream could not be described');
        this.#readFrom(this.#positions.sequence + 1);
      }
    })();
  }

  #eventOf(message: StreamMessage, sequence: number, order: number): TopicEvent {
    let payload: unknown;
    try {
      payload = JSON.parse(
        Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).toString(),
      );
    } catch {
      payload = undefined;
    }
    const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
    if (!isObject) this.#deps.log.error({ subject: message.subject, sequence }, 'an event is not a JSON object');
    return {
      // Equal strings, but that of a message keeps all of its headers in memory.
      subject: this.wildcard ? message.subject : this.subject,
      order,
      sequence,
      identity: this.#identity,
      payload: isObject ? (payload as Record<string, unknown>) : undefined,
      traceparent: message.traceparent,
    };
  }
}
