// The live engine: how one event reaches all who watch it. It knows neither HTTP nor WebSocket nor broker, and no word of the domain.
import type { GraphQLFormattedError } from 'graphql';
import { CodedError, codeOf } from '../../service/errors.ts';
import type { Logger } from '../../service/log.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { PrepareOperation } from '../operations.ts';
import type { FetchContext } from '../subgraph-client.ts';
import type { Supergraph } from '../supergraph.ts';
import { begin, createTurns } from './beginning.ts';
import type { CursorCodec } from './cursor.ts';
import { Group } from './group.ts';
import type { GroupDefinition } from './group.ts';
import type { LiveMetrics } from './live-metrics.ts';
import { createReplan, identify, reload } from './regroup.ts';
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
  /** Events that wait to be resolved in one group, at most. */
  readonly maxPending: number;
  /** Events that a cursor may be behind and still be given one by one, at most. */
  readonly maxReplay: number;
  /** Milliseconds for which the first event of a subject is awaited before it counts as not there (it may be on its way). */
  readonly presentGraceMs: number;
}

export const defaultEngineLimits: EngineLimits = {
  maxBacklog: 100,
  maxHydrations: 32,
  maxPending: 1_000,
  maxReplay: 1_000,
  presentGraceMs: 2_000,
};

/** Replays that read the stream at a time. */
const concurrentReplays = 64;

export interface EngineOptions {
  readonly source: Source;
  readonly fetch: SubgraphFetch<FetchContext>;
  readonly cursors: CursorCodec;
  readonly maskError: (error: unknown) => GraphQLFormattedError;
  readonly log: Logger;
  readonly metrics: LiveMetrics;
  readonly limits?: Partial<EngineLimits>;
}

export interface SubscribeRequest {
  /** A subscription that was authorised for `sink.viewer`. */
  readonly operation: CompiledOperation;
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>;
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
  /** Goes over to a new supergraph: subscriptions that still fit are planned anew, the others end with SUBSCRIPTION_SCHEMA_RELOAD. */
  reload(supergraph: Supergraph, prepare: PrepareOperation): void;
  /** How many subscriptions were opened so far. */
  opened(): number;
  /** Ends every subscription with SHUTTING_DOWN and takes no new one. Transports have drained theirs before. */
  close(): void;
}

export function createLiveEngine(options: EngineOptions): LiveEngine {
  const { source, cursors, log, metrics } = options;
  const limits = { ...defaultEngineLimits, ...options.limits };
  const groupDeps = { ...options, ...limits };
  const beginningDeps = { source, metrics, ...limits, inTurn: createTurns(concurrentReplays) };
  const topicDeps = { source, log, metrics };
  /** By stream, then by subject. */
  const topics = new Map<string, Map<string, Topic>>();
  let closed = false;
  let opened = 0;

  const stopWatchingBroker = source.onReconnect(() => {
    for (const ofStream of topics.values()) for (const topic of ofStream.values()) topic.suspend();
    void repairAll();
  });

  function useTopic({ field: { stream }, subject, within }: Target): Topic {
    const ofStream = topics.get(stream) ?? new Map<string, Topic>();
    topics.set(stream, ofStream);
    let topic = ofStream.get(subject);
    if (topic === undefined) {
      topic = new Topic(stream, subject, within, topicDeps);
      ofStream.set(subject, topic);
      metrics.topics.inc();
    }
    topic.use();
    return topic;
  }

  function leaveTopic(topic: Topic): void {
    if (!topic.leave()) return;
    metrics.topics.dec();
    const ofStream = topics.get(topic.stream);
    if (ofStream?.get(topic.subject) === topic) ofStream.delete(topic.subject);
  }

  function groupOf(topic: Topic, definition: GroupDefinition): Group {
    const key = groupKey(definition);
    let group = topic.groups.find((one) => one.key === key);
    if (group === undefined) {
      group = new Group(key, topic, definition, groupDeps);
      // A literal is exact; a spread leaves room that a hundred thousand topics would never use.
      topic.groups = topic.groups.length === 0 ? [group] : [...topic.groups, group];
      metrics.groups.inc();
    }
    return group;
  }

  function leaveGroup(group: Group): void {
    if (group.subscribers.length > 0 || !group.topic.groups.includes(group)) return;
    group.topic.groups = group.topic.groups.filter((one) => one !== group);
    metrics.groups.dec();
  }

  function allSubscribers(): Subscriber[] {
    return [...topics.values()].flatMap((ofStream) =>
      [...ofStream.values()].flatMap((topic) => topic.groups.flatMap((group) => group.subscribers)),
    );
  }

  /** After the broker was away: each stream is asked once whether it is still the same, then each topic reads what it missed. */
  async function repairAll(): Promise<void> {
    for (const [stream, ofStream] of topics) {
      if (ofStream.size === 0) continue;
      try {
        const { identity } = await source.describe(stream);
        for (const topic of ofStream.values()) topic.repair(identity);
      } catch (error) {
        log.warn({ error, stream, code: codeOf(error) }, 'a stream could not be described after a reconnect');
        if (!closed && source.isConnected()) setTimeout(() => void repairAll(), 500);
      }
    }
  }

  const host: SubscriberHost = {
    maxBacklog: limits.maxBacklog,
    maxReplay: limits.maxReplay,
    metrics,
    identify: (subscriber) => regroup(subscriber, () => identify(subscriber, groupOf)),
    left(_subscriber, group) {
      metrics.subscriptions.dec();
      leaveGroup(group);
      leaveTopic(group.topic);
    },
  };

  /** Runs a change that may leave a group empty. */
  function regroup(subscriber: Subscriber, change: () => void): void {
    const before = subscriber.group;
    change();
    leaveGroup(before);
  }

  /** Waits until the topic is live and, where a present state is asked for, has one. */
  async function ready(topic: Topic, { field, after }: Target): Promise<void> {
    await topic.started;
    if (field.present && after === undefined && (await topic.firstEvent(limits.presentGraceMs)) === undefined) {
      throw new CodedError('NOT_FOUND');
    }
    if (closed) throw new CodedError('SHUTTING_DOWN');
  }

  return {
    async subscribe({ operation, variables, sink }) {
      if (closed) throw new CodedError('SHUTTING_DOWN');
      const target = targetOf(operation, variables, sink.viewer, cursors);
      if (!source.isConnected()) throw new CodedError('SERVICE_UNAVAILABLE');
      const topic = useTopic(target);
      let subscriber: Subscriber;
      try {
        await ready(topic, target);
        const definition = groupDefinition(operation, target.shape, variables, sink, target.scope);
        subscriber = new Subscriber(groupOf(topic, definition), sink, host);
      } catch (error) {
        leaveTopic(topic);
        throw coded(error);
      }
      // From here on the subscriber leaves the topic, and what is published reaches it.
      metrics.subscriptions.inc();
      opened += 1;
      try {
        const begun = begin(subscriber, target, beginningDeps);
        sink.opened(subscriber);
        await begun;
      } catch (error) {
        subscriber.leave();
        throw coded(error);
      }
    },

    reload(supergraph, prepare) {
      const replan = createReplan(supergraph, prepare);
      for (const subscriber of allSubscribers()) {
        subscriber.whenLive(() => regroup(subscriber, () => reload(subscriber, replan, groupOf)));
      }
    },

    opened: () => opened,

    close() {
      closed = true;
      stopWatchingBroker();
      for (const subscriber of allSubscribers()) subscriber.end(new CodedError('SHUTTING_DOWN'));
    },
  };
}

function coded(error: unknown): CodedError {
  return error instanceof CodedError ? error : new CodedError(codeOf(error), undefined, {}, error);
}
