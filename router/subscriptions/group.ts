// A group: subscribers of one topic that get the same bytes. Each event is resolved once and serialised once for all of them.
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import { executeEvent, needsFetch } from '../executor/execute.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { RequestContext } from '../subgraph-client.ts';
import type { Delivery } from './backlog.ts';
import type { CursorCodec, CursorScope } from './cursor.ts';
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
  /** For the cursors of its events; undefined when none is selected. */
  readonly cursorScope: CursorScope | undefined;
}

export interface GroupDeps {
  readonly fetch: SubgraphFetch<RequestContext>;
  readonly cursors: CursorCodec;
  readonly maskError: (error: unknown) => GraphQLFormattedError;
  /** Events that one group resolves at a time, at most. */
  readonly maxHydrations: number;
}

interface Pending {
  readonly event: TopicEvent;
  payload: Payload | undefined;
}

export class Group {
  readonly key: string;
  readonly topic: Topic;
  readonly subscribers: Subscriber[] = [];
  readonly #deps: GroupDeps;
  #definition: GroupDefinition;
  /** Events being resolved, in order; the first to be delivered first, whichever is ready first. */
  #pending: Pending[] | undefined;
  #started = 0;
  /** The last rendering: shared by subscribers that start together, and kept as long as it is a pure function of the event. */
  #rendered: { readonly event: TopicEvent; readonly payload: Promise<Payload> } | undefined;

  constructor(key: string, topic: Topic, definition: GroupDefinition, deps: GroupDeps) {
    this.key = key;
    this.topic = topic;
    this.#definition = definition;
    this.#deps = deps;
  }

  get definition(): GroupDefinition {
    return this.#definition;
  }

  add(subscriber: Subscriber): void {
    subscriber.index = this.subscribers.push(subscriber) - 1;
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
    (this.#pending ??= []).push({ event, payload: undefined });
    this.#advance();
  }

  /** The result of one event as this group sees it. Never rejects. */
  render(event: TopicEvent): Promise<Payload> {
    if (this.#rendered?.event === event) return this.#rendered.payload;
    const payload = this.#resolve(event);
    const rendered = { event, payload };
    this.#rendered = rendered;
    if (needsFetch(this.#definition.operation)) {
      void payload.then(() => {
        if (this.#rendered === rendered) this.#rendered = undefined;
      });
    }
    return payload;
  }

  delivery({ subject, order }: TopicEvent, payload: Payload): Delivery {
    return { subject, order, payload, skipped: 0 };
  }

  /** Events that were published and not delivered yet, oldest first. */
  unrendered(): readonly TopicEvent[] {
    return (this.#pending ?? []).map(({ event }) => event);
  }

  /** Starts what may start, delivers what is ready, in order. */
  #advance(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    while (pending.length > 0 && pending[0]?.payload !== undefined) {
      const { event, payload } = pending.shift() as { event: TopicEvent; payload: Payload };
      this.#started -= 1;
      this.#deliver(event, payload);
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

  #deliver(event: TopicEvent, payload: Payload): void {
    const delivery = this.delivery(event, payload);
    // Backwards, as a subscriber that ends is replaced by the last one, which had its turn.
    for (let index = this.subscribers.length - 1; index >= 0; index -= 1) this.subscribers[index]?.deliver(delivery);
  }

  async #resolve(event: TopicEvent): Promise<Payload> {
    const { operation, shape, variables, viewer, cursorScope } = this.#definition;
    const { maskError, cursors, fetch } = this.#deps;
    let result: ExecutionResult;
    try {
      if (event.payload === undefined) throw new CodedError('MESSAGE_INVALID');
      const payload =
        cursorScope === undefined ? event.payload : { ...event.payload, cursor: cursors.mint(cursorScope, event) };
      const answer = { [shape.field.alias?.value ?? shape.field.name.value]: payload };
      result = await executeEvent(operation, variables, answer, fetch, { viewer, traceparent: event.traceparent });
    } catch (error) {
      return new Payload({ data: null, errors: [maskError(error)] } as unknown as ExecutionResult);
    }
    if (result.errors === undefined) return new Payload(result);
    return new Payload({ ...result, errors: result.errors.map(maskError) } as unknown as ExecutionResult);
  }
}
