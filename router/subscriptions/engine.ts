// The live engine: how one event reaches all who watch it. It knows neither HTTP nor WebSocket nor broker, and no word of the domain.
import type { GraphQLFormattedError } from 'graphql';
import { CodedError, codeOf } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import type { Logger } from '../../service/log.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { RequestContext } from '../subgraph-client.ts';
import { begin, createTurns } from './beginning.ts';
import type { CursorCodec } from './cursor.ts';
import { Group } from './group.ts';
import type { LiveMetrics } from './live-metrics.ts';
import type { Source } from './source.ts';
import { Subscriber } from './subscriber.ts';
import type { Sink, SubscriberHost } from './subscriber.ts';
import { groupDefinition, groupKey, targetOf } from './target.ts';
import type { Target } from './target.ts';
import { Topic } from './topic.ts';

export interface EngineLimits {
  /** Results that wait for one slow or starting subscriber, at most. */
  readonly maxBacklog: number;
  /** Events that one group resolves at a time, at most. */
  readonly maxHydrations: number;
  /** Events that a cursor may be behind and still be given one by one, at most. */
  readonly maxReplay: number;
  /** Milliseconds for which the first event of a subject is awaited before it counts as not there (it may be on its way). */
  readonly presentGraceMs: number;
}

export const defaultEngineLimits: EngineLimits = {
  maxBacklog: 100,
  maxHydrations: 32,
  maxReplay: 1_000,
  presentGraceMs: 2_000,
};

/** Replays that read the stream at a time. */
const concurrentReplays = 64;

export interface EngineOptions {
  readonly source: Source;
  readonly fetch: SubgraphFetch<RequestContext>;
  readonly cursors: CursorCodec;
  readonly maskError: (error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
  readonly metrics: LiveMetrics;
  readonly limits?: Partial<EngineLimits>;
}

export interface SubscribeRequest {
  /** A subscription that was authorised for `viewer`. */
  readonly operation: CompiledOperation;
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly viewer: Viewer | undefined;
  readonly sink: Sink;
}

export interface LiveEngine {
  /**
   * Opens a subscription; resolves when its snapshot or replay was given and live events follow.
   * The sink is told of the subscription as soon as it stands (`opened`), and may leave it from then on.
   * @throws CodedError before anything was given: UNAUTHENTICATED, BAD_USER_INPUT, NOT_FOUND, CURSOR_INVALID, CURSOR_EXPIRED,
   * SERVICE_UNAVAILABLE, SHUTTING_DOWN.
   */
  subscribe(request: SubscribeRequest): Promise<void>;
  /** Ends every subscription with SHUTTING_DOWN and takes no new one. Transports have drained theirs before. */
  close(): void;
}

export function createLiveEngine(options: EngineOptions): LiveEngine {
  const { source, cursors, log, metrics } = options;
  const limits = { ...defaultEngineLimits, ...options.limits };
  const groupDeps = { ...options, maxHydrations: limits.maxHydrations };
  const beginningDeps = { source, metrics, ...limits, inTurn: createTurns(concurrentReplays) };
  const topics = new Map<string, Topic>();
  let closed = false;

  const stopWatchingBroker = source.onReconnect(() => void repairAll());

  function useTopic({ field: { stream }, subject }: Target): Topic {
    const key = `${stream} ${subject}`;
    let topic = topics.get(key);
    if (topic === undefined) {
      topic = new Topic(stream, subject, { source, log, metrics });
      topics.set(key, topic);
      metrics.topics.inc();
    }
    topic.use();
    return topic;
  }

  function leaveTopic(topic: Topic): void {
    if (!topic.leave()) return;
    metrics.topics.dec();
    const key = `${topic.stream} ${topic.subject}`;
    if (topics.get(key) === topic) topics.delete(key);
  }

  function groupOf(topic: Topic, { operation, variables, viewer }: SubscribeRequest, target: Target): Group {
    const definition = groupDefinition(operation, variables, viewer, target);
    const key = groupKey(definition);
    let group = topic.groups.get(key);
    if (group === undefined) {
      group = new Group(key, topic, definition, groupDeps);
      topic.groups.set(key, group);
      metrics.groups.inc();
    }
    return group;
  }

  /** After the broker was away: each stream is asked once whether it is still the same, then each topic reads what it missed. */
  async function repairAll(): Promise<void> {
    const streams = Map.groupBy(topics.values(), ({ stream }) => stream);
    for (const [stream, missed] of streams) {
      try {
        const { identity } = await source.describe(stream);
        for (const topic of missed) topic.repair(identity);
      } catch (error) {
        log.warn({ error, stream, code: codeOf(error) }, 'a stream could not be described after a reconnect');
        if (!closed && source.isConnected()) setTimeout(() => void repairAll(), 500);
      }
    }
  }

  const host: SubscriberHost = {
    maxBacklog: limits.maxBacklog,
    metrics,
    left({ group }) {
      metrics.subscriptions.dec();
      if (group.subscribers.length === 0 && group.topic.groups.get(group.key) === group) {
        group.topic.groups.delete(group.key);
        metrics.groups.dec();
      }
      leaveTopic(group.topic);
    },
  };

  /** Waits until the topic is live and, where a present state is asked for, has one. */
  async function ready(topic: Topic, { field, after }: Target): Promise<void> {
    await topic.started;
    if (field.present && after === undefined && (await topic.firstEvent(limits.presentGraceMs)) === undefined) {
      throw new CodedError('NOT_FOUND');
    }
    if (closed) throw new CodedError('SHUTTING_DOWN');
  }

  return {
    async subscribe(request) {
      if (closed) throw new CodedError('SHUTTING_DOWN');
      const target = targetOf(request.operation, request.variables, request.viewer, cursors);
      if (!source.isConnected()) throw new CodedError('SERVICE_UNAVAILABLE');
      const topic = useTopic(target);
      try {
        await ready(topic, target);
      } catch (error) {
        leaveTopic(topic);
        throw coded(error);
      }
      // From here on the subscriber leaves the topic, and what is published reaches it.
      const subscriber = new Subscriber(groupOf(topic, request, target), request.sink, host);
      metrics.subscriptions.inc();
      try {
        const begun = begin(subscriber, target, beginningDeps);
        request.sink.opened(subscriber);
        await begun;
      } catch (error) {
        subscriber.leave();
        throw coded(error);
      }
    },

    close() {
      closed = true;
      stopWatchingBroker();
      for (const topic of topics.values()) {
        for (const group of [...topic.groups.values()]) {
          for (const subscriber of [...group.subscribers]) {
            metrics.ends.inc({ code: 'SHUTTING_DOWN' });
            subscriber.end(new CodedError('SHUTTING_DOWN'));
          }
        }
      }
    },
  };
}

function coded(error: unknown): CodedError {
  return error instanceof CodedError ? error : new CodedError(codeOf(error), undefined, {}, error);
}
