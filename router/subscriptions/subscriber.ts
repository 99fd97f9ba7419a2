// A subscriber: one client's subscription. It starts behind a snapshot or a replay, then gets what its group renders.
import { CodedError } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import type { ForwardedHeaders } from '../forwarded-headers.ts';
import { Backlog } from './backlog.ts';
import type { Delivery } from './backlog.ts';
import type { Group } from './group.ts';
import type { LiveMetrics } from './live-metrics.ts';
import type { Payload } from './payload.ts';

/** The client's end, as a transport gives it. Its functions must not throw. */
export interface Sink {
  /** Who watches; another token of the same viewer after `identify()`. */
  readonly viewer: Viewer | undefined;
  /** Headers of its request that go on to subgraphs. */
  readonly forwarded: ForwardedHeaders | undefined;
  /** False while the transport holds bytes that have not left; it then calls `resume()` of the subscription once they have. */
  readonly writable: boolean;
  /** The subscription stands; called once, before any of the others. */
  opened(subscription: LiveSubscription): void;
  send(payload: Payload): void;
  /** The engine has ended the subscription: with an error, or because it is complete. Nothing follows. */
  end(error: CodedError | undefined): void;
}

/** An open subscription, as its transport holds it. */
export interface LiveSubscription {
  /** The transport can take more after `sink.writable` was false. */
  resume(): void;
  /** `sink.viewer` has another token; what it may not watch any more is ended. */
  identify(): void;
  /** Leaves without a word to the client. Idempotent. */
  leave(): void;
}

/** What the engine does for all of its subscribers. */
export interface SubscriberHost {
  /** Results that wait for one subscriber at most. */
  readonly maxBacklog: number;
  /** Events that it may have missed and be given one by one, at most. */
  readonly maxReplay: number;
  readonly metrics: LiveMetrics;
  /** Brings a subscriber whose viewer has another token to the group of that token. */
  identify(subscriber: Subscriber): void;
  /** Told once for each subscriber, when it has left its group. */
  left(subscriber: Subscriber, group: Group): void;
}

export class Subscriber implements LiveSubscription {
  readonly sink: Sink;
  /** Changes when the supergraph or the token of its connection does. */
  group: Group;
  /** Its place in `group.subscribers`, for constant-time leaving; -1 when it has left. */
  index = -1;
  closed = false;

  readonly #host: SubscriberHost;
  /** Order of the last event that was handed over or stands in the backlog. */
  #order: number;
  /** Live results wait while the snapshot or replay is being given. */
  #starting = true;
  #backlog: Backlog | undefined;
  #wakeReplay: (() => void) | undefined;
  #changes: (() => void)[] | undefined;
  #note: Readonly<Record<string, unknown>> | undefined;

  constructor(group: Group, sink: Sink, host: SubscriberHost) {
    this.group = group;
    this.#order = group.topic.published;
    this.sink = sink;
    this.#host = host;
    group.add(this);
  }

  /** A live result from the group. */
  deliver(delivery: Delivery): void {
    if (delivery.order <= this.#order || this.closed) return;
    this.#order = delivery.order;
    if (this.#starting || this.#backlog !== undefined || !this.sink.writable) this.#wait(delivery);
    else this.#hand(delivery);
  }

  /** A result of the snapshot or the replay; waits until the client can take it. */
  async give(delivery: Delivery): Promise<void> {
    while (!this.sink.writable && !this.closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeReplay = resolve;
      await promise;
    }
    if (!this.closed) this.#hand(delivery);
  }

  /** The snapshot or replay was given: from here on live. */
  goLive(): void {
    this.#starting = false;
    this.resume();
    const changes = this.#changes;
    this.#changes = undefined;
    for (const change of changes ?? []) this.whenLive(change);
  }

  /** The transport can take more. */
  resume(): void {
    this.#wakeReplay?.();
    this.#wakeReplay = undefined;
    if (this.#starting) return;
    while (this.#backlog !== undefined && !this.closed && this.sink.writable) {
      const delivery = this.#backlog.shift();
      if (delivery === undefined) this.#backlog = undefined;
      else {
        this.#host.metrics.backlog.dec();
        this.#hand(delivery);
      }
    }
    if (this.#backlog?.length === 0) this.#backlog = undefined;
  }

  identify(): void {
    this.whenLive(() => this.#host.identify(this));
  }

  /** Leaves without a word to the client. Idempotent. */
  leave(): void {
    if (this.closed) return;
    this.closed = true;
    this.#host.metrics.backlog.dec(this.#backlog?.length ?? 0);
    this.#backlog = undefined;
    this.#wakeReplay?.();
    this.group.remove(this);
    this.#host.left(this, this.group);
  }

  /** Says something in the `extensions` of the next result. */
  note(extensions: Readonly<Record<string, unknown>>): void {
    this.#note = extensions;
  }

  /** Ends the subscription and tells the client why. */
  end(error: CodedError | undefined): void {
    if (this.closed) return;
    this.leave();
    this.#host.metrics.ends.inc({ code: error?.code ?? 'COMPLETE' });
    this.sink.end(error);
  }

  /** Runs `change` now, or as soon as the snapshot or replay was given. */
  whenLive(change: () => void): void {
    if (this.closed) return;
    if (this.#starting) (this.#changes ??= []).push(change);
    else change();
  }

  /** Goes over to another group of the same topic. What the old one has not delivered yet, the new one renders for this subscriber. */
  move(group: Group): void {
    const waiting = this.#backlog;
    const missed = this.group.undelivered();
    this.group.remove(this);
    this.group = group;
    group.add(this);
    this.#order = group.topic.published;
    if (waiting === undefined && missed.length === 0) return;
    this.#starting = true;
    this.#backlog = undefined;
    void (async () => {
      for (let delivery = waiting?.shift(); delivery !== undefined; delivery = waiting?.shift()) {
        this.#host.metrics.backlog.dec();
        await this.give(delivery);
      }
      for (const event of missed) await this.give(group.delivery(event, await group.render(event)));
      this.goLive();
    })();
  }

  #hand({ payload, skipped }: Delivery): void {
    this.#host.metrics.frames.inc();
    if (skipped === 0 && this.#note === undefined) {
      this.sink.send(payload);
      return;
    }
    this.sink.send(payload.withExtensions({ ...this.#note, ...(skipped === 0 ? {} : { skipped }) }));
    this.#note = undefined;
  }

  #wait(delivery: Delivery): void {
    // What comes while it is given what it missed is missed as well, by no slowness of its own.
    this.#backlog ??= new Backlog(this.#starting ? this.#host.maxReplay : this.#host.maxBacklog);
    const gaveWay = this.#backlog.push(delivery);
    if (gaveWay === undefined) {
      this.end(new CodedError('SUBSCRIPTION_SLOW_CONSUMER'));
      return;
    }
    this.#host.metrics.backlog.inc(1 - gaveWay);
    this.#host.metrics.skipped.inc(gaveWay);
  }
}
