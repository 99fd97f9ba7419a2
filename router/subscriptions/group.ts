// A group: subscribers of one topic that get the same bytes. Each event is resolved once and serialised once for all of them.
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import { asSpan, currentTraceparent, inSpan, isRecorded, SpanKind } from '../../service/telemetry.ts';
import type { SpanSettings } from '../../service/telemetry.ts';
import { executeEvent, needsFetch } from '../executor/execute.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import type { FetchContext } from '../subgraph-client.ts';
import type { Delivery } from './backlog.ts';
import type { CursorCodec, CursorScope } from './cursor.ts';
import type { LiveMetrics } from './live-metrics.ts';
import type { OperationShape } from './operation-key.ts';
import { Payload } from './payload.ts';
import type { Subscriber } from './subscriber.ts';
import type { Topic, TopicEvent } from './topic.ts';

/** What every subscriber of a group has in common besides the topic. */
export interface GroupDefinition {
  readonly operation: CompiledOperation;
  readonly shape: OperationShape;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whose token fetches carry. */
  readonly viewer: Viewer | undefined;
  /** What fetches carry besides. */
  readonly forwarded: ForwardedHeaders | undefined;
  /** For the cursors of its events; undefined when none is selected. */
  readonly cursorScope: CursorScope | undefined;
}

export interface GroupDeps {
  readonly fetch: SubgraphFetch<FetchContext>;
  readonly cursors: CursorCodec;
  readonly maskError: (error: unknown) => GraphQLFormattedError;
  readonly metrics: LiveMetrics;
  /** Events that one group resolves at a time, at most. */
  readonly maxHydrations: number;
  /** Events that wait to be resolved, at most. */
  readonly maxPending: number;
}

interface Pending {
  readonly event: TopicEvent;
  payload: Payload | undefined;
  /** Older events of the same subject that gave way to this one. */
  readonly skipped: number;
}

export class Group {
  readonly key: string;
  readonly topic: Topic;
  /** Made exact for the first one: most groups have one subscriber, and there may be a hundred thousand of them. */
  subscribers: Subscriber[] = [];
  readonly definition: GroupDefinition;
  readonly #deps: GroupDeps;
  /** Events being resolved, in order; the first to be delivered first, whichever is ready first. */
  #pending: Pending[] | undefined;
  #started = 0;
  /** The last rendering, for subscribers that start together; kept while it is a pure function of the event and there are several. */
  #rendered: { readonly event: TopicEvent; readonly payload: Promise<Payload> } | undefined;

  constructor(key: string, topic: Topic, definition: GroupDefinition, deps: GroupDeps) {
    this.key = key;
    this.topic = topic;
    this.definition = definition;
    this.#deps = deps;
  }

  add(subscriber: Subscriber): void {
    if (this.subscribers.length === 0) this.subscribers = [subscriber];
    else this.subscribers.push(subscriber);
    subscriber.index = this.subscribers.length - 1;
  }

  /** Constant time: the last takes the place of the one that leaves. */
  remove(subscriber: Subscriber): void {
    const { index } = subscriber;
    if (this.subscribers[index] !== subscriber) return;
    const last = this.subscribers.pop();
    if (last !== undefined && last !== subscriber) {
      this.subscribers[index] = last;
      last.index = index;
    }
    subscriber.index = -1;
  }

  /** A new event of the topic. */
  publish(event: TopicEvent): void {
    const pending = (this.#pending ??= []);
    let skipped = 0;
    if (pending.length >= this.#deps.maxPending) {
      // Subgraphs are slower than the events. Of those that were not asked for yet, the newest of a subject stands for the older.
      const older = pending.findIndex((one, index) => index >= this.#started && one.event.subject === event.subject);
      if (older < 0) {
        this.endAll(new CodedError('SERVICE_UNAVAILABLE'));
        return;
      }
      skipped = 1 + (pending[older]?.skipped ?? 0);
      pending.splice(older, 1);
      this.#deps.metrics.skipped.inc();
    }
    pending.push({ event, payload: undefined, skipped });
    this.#advance();
  }

  /** Ends every subscriber. */
  endAll(error: CodedError): void {
    for (const subscriber of [...this.subscribers]) subscriber.end(error);
  }

  /** The result of one event as this group sees it. Never rejects. */
  render(event: TopicEvent): Promise<Payload> {
    if (this.#rendered?.event === event) return this.#rendered.payload;
    const payload = this.#resolve(event);
    const rendered = { event, payload };
    this.#rendered = rendered;
    void payload.then(() => {
      const keep = this.subscribers.length > 1 && !needsFetch(this.definition.operation);
      if (this.#rendered === rendered && !keep) this.#rendered = undefined;
    });
    return payload;
  }

  delivery({ subject, order }: TopicEvent, payload: Payload, skipped = 0): Delivery {
    return { subject, order, payload, skipped };
  }

  /** Events that were published and not delivered yet, oldest first. */
  undelivered(): readonly TopicEvent[] {
    return (this.#pending ?? []).map(({ event }) => event);
  }

  /** Starts what may start, delivers what is ready, in order. */
  #advance(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    while (pending.length > 0 && pending[0]?.payload !== undefined) {
      const { event, payload, skipped } = pending.shift() as Pending & { payload: Payload };
      this.#started -= 1;
      const delivery = this.delivery(event, payload, skipped);
      if (!isRecorded(event.traceparent)) this.#deliver(delivery);
      else asSpan('live frames', spanOf(event, this), () => this.#deliver(delivery));
    }
    while (this.#started < Math.min(pending.length, this.#deps.maxHydrations)) {
      const next = pending[this.#started];
      if (next === undefined) return;
      this.#started += 1;
      void this.render(next.event).then((payload) => {
        next.payload = payload;
        if (pending[0] === next) this.#advance();
      });
    }
    if (pending.length === 0 && this.#pending === pending) this.#pending = undefined;
  }

  #deliver(delivery: Delivery): void {
    // Backwards, as a subscriber that ends is replaced by the last one, which had its turn.
    for (let index = this.subscribers.length - 1; index >= 0; index -= 1) this.subscribers[index]?.deliver(delivery);
  }

  async #resolve(event: TopicEvent): Promise<Payload> {
    const { operation, shape, variables, viewer, forwarded, cursorScope } = this.definition;
    const { supergraph } = operation;
    const { maskError, cursors, fetch } = this.#deps;
    let result: ExecutionResult;
    try {
      if (event.payload === undefined) throw new CodedError('MESSAGE_INVALID');
      const payload =
        cursorScope === undefined ? event.payload : { ...event.payload, cursor: cursors.mint(cursorScope, event) };
      const answer = { [shape.field.alias?.value ?? shape.field.name.value]: payload };
      const execute = (traceparent: string | undefined): Promise<ExecutionResult> =>
        executeEvent(operation, variables, answer, fetch, { viewer, traceparent, forwarded, supergraph });
      result = await (isRecorded(event.traceparent)
        ? inSpan('live event', spanOf(event, this), () => execute(currentTraceparent() ?? event.traceparent))
        : execute(event.traceparent));
    } catch (error) {
      return new Payload({ data: null, errors: [maskError(error)] } as unknown as ExecutionResult);
    }
    if (result.errors === undefined) return new Payload(result);
    return new Payload({ ...result, errors: result.errors.map(maskError) } as unknown as ExecutionResult);
  }
}

/** What is done with an event is part of the trace of the change that it tells. */
const spanOf = ({ traceparent, subject, sequence }: TopicEvent, { subscribers }: Group): SpanSettings => ({
  kind: SpanKind.CONSUMER,
  traceparent,
  attributes: {
    'messaging.system': 'nats',
    'messaging.destination.name': subject,
    'messaging.message.id': String(sequence),
    'live.subscribers': subscribers.length,
  },
});
