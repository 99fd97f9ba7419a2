// How a subscriber begins: with the present state, or with what it missed since its cursor. Live events wait meanwhile.
import { CodedError } from '../../service/errors.ts';
import type { LiveMetrics } from './live-metrics.ts';
import type { Payload } from './payload.ts';
import type { Source } from './source.ts';
import type { Subscriber } from './subscriber.ts';
import type { Target } from './target.ts';
import type { TopicEvent } from './topic.ts';

/** Said in `extensions` of the newest event when it stands for more missed ones than are given one by one. */
export const replayTooLong = { code: 'REPLAY_TOO_LONG' };

export interface BeginningDeps {
  readonly source: Source;
  readonly metrics: LiveMetrics;
  readonly maxReplay: number;
  /** Events that are resolved ahead of the client. */
  readonly maxHydrations: number;
  /** Runs work when a place is free: storms of resuming clients read the stream in turn. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Gives a subscriber its snapshot or replay, then lets it go live. Call it in the same tick in which the subscriber joined its group.
 * @throws CodedError CURSOR_EXPIRED, SERVICE_UNAVAILABLE.
 */
export async function begin(subscriber: Subscriber, { field, after }: Target, deps: BeginningDeps): Promise<void> {
  const { topic } = subscriber.group;
  const { last, sequence: until } = topic;
  let events: readonly TopicEvent[] = field.present && last !== undefined ? [last] : [];
  if (after !== undefined) {
    const missed = await missedSince(subscriber, after, until, deps);
    if (missed === 'too long') {
      deps.metrics.resumes.inc({ outcome: 'too_long' });
      subscriber.note(replayTooLong);
      const newest = topic.wildcard ? await topic.newest() : last;
      // A newer one than when the subscriber joined comes live, and carries the note.
      events = newest !== undefined && newest.sequence <= until ? [newest] : [];
    } else {
      deps.metrics.resumes.inc({ outcome: 'replayed' });
      events = missed;
    }
  }
  await give(subscriber, events, deps.maxHydrations);
  subscriber.goLive();
}

async function missedSince(
  { group: { topic } }: Subscriber,
  after: NonNullable<Target['after']>,
  until: number,
  { source, metrics, maxReplay, inTurn }: BeginningDeps,
): Promise<readonly TopicEvent[] | 'too long'> {
  const expired = (): CodedError => {
    metrics.resumes.inc({ outcome: 'expired' });
    return new CodedError('CURSOR_EXPIRED');
  };
  if (!after.countsIn(topic.identity)) throw expired();
  if (after.sequence >= until) return [];
  const { identity, firstSequence } = await source.describe(topic.stream);
  if (identity !== topic.identity || after.sequence + 1 < firstSequence) throw expired();
  const missed = await inTurn(() => topic.replay(after.sequence, until, maxReplay));
  if (missed === 'expired') throw expired();
  return missed;
}

/** Resolves some events ahead, and gives them in order as fast as the client takes them. */
async function give(subscriber: Subscriber, events: readonly TopicEvent[], ahead: number): Promise<void> {
  const { group } = subscriber;
  const rendered: Promise<Payload>[] = [];
  for (const [index, event] of events.entries()) {
    while (rendered.length < Math.min(events.length, index + ahead)) {
      rendered.push(group.render(events[rendered.length] as TopicEvent));
    }
    await subscriber.give(group.delivery(event, await (rendered[index] as Promise<Payload>)));
    if (subscriber.closed) return;
  }
}

/** At most `places` at a time, the others in turn. */
export function createTurns(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) {
      free -= 1;
    } else {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
