// The outbox: events are written in the transaction of the change they tell of; the relay (relay.ts) publishes them later.
import { defineEntity, p } from '@mikro-orm/core';
import type { InferEntity } from '@mikro-orm/core';
import { v7 as uuid } from 'uuid';
import { events } from '../schema/events.ts';
import type { EventData, EventType } from '../schema/events.ts';
import { cloudEventHeaders } from './cloudevent.ts';
import type { EntityManager } from './database.ts';
import { currentTraceparent } from './telemetry.ts';

/** One event on its way to the stream. Kept after publishing, so that a lost stream can be filled again. */
export const OutboxMessage = defineEntity({
  name: 'OutboxMessage',
  tableName: 'outbox',
  properties: {
    /** Rises within an aggregate, as its row is locked while its events are written. */
    seq: p.bigint('number').primary().autoincrement(),
    id: p.string().length(36),
    aggregateId: p.string().length(100),
    version: p.integer(),
    stream: p.string().length(40),
    subject: p.text(),
    headers: p.json<Record<string, string>>(),
    payload: p.text(),
    createdAt: p.datetime(3),
    /** Until when a relay has the row to itself, and which. */
    claimedBy: p.string().length(36).strictNullable(),
    claimedUntil: p.datetime(3).strictNullable(),
    publishedAt: p.datetime(3).strictNullable(),
    /** Where the stream stored it. */
    streamSeq: p.bigint('number').strictNullable(),
  },
});

export type OutboxMessage = InferEntity<typeof OutboxMessage>;

/** One row for each stream: relays take turns at claiming by locking it, and it holds which stream the rows were published to. */
export const RelayLock = defineEntity({
  name: 'RelayLock',
  tableName: 'outbox_relay',
  properties: {
    stream: p.string().length(40).primary(),
    /** When the stream was made, as the broker says; another value means a new, empty stream. */
    streamCreated: p.string().length(40).strictNullable(),
    /** Counts the losses of the stream that were found: what was stored before the last one is marked as stored no more. */
    generation: p.integer(),
  },
});

const staged = new WeakMap<EntityManager, OutboxMessage[]>();

/** The events that were added to the transaction of `em` so far; they are written before it commits. */
export const stagedEvents = (em: EntityManager): readonly OutboxMessage[] => staged.get(em) ?? [];

/** What an event says of the change behind it. */
export interface ChangeMeta {
  /** The service that writes it. */
  readonly source: string;
  readonly aggregateId: string;
  /** Of the aggregate, after the change. */
  readonly version: number;
  readonly at: Date;
}

/**
 * Adds an event to the transaction of `em`.
 * @throws ZodError when the data does not fit the event table: our own mistake, and nothing is committed.
 */
export function stageEvent<Type extends EventType>(
  em: EntityManager,
  type: Type,
  data: EventData<Type>,
  meta: ChangeMeta,
): void {
  const definition = events[type];
  const checked = definition.data.parse(data);
  const id = uuid();
  const message: OutboxMessage = {
    // The database gives it.
    seq: 0,
    id,
    aggregateId: meta.aggregateId,
    version: meta.version,
    stream: definition.stream,
    subject: (definition.subject as (data: unknown) => string)(checked),
    headers: cloudEventHeaders(type, {
      id,
      source: meta.source,
      time: meta.at.toISOString(),
      aggregateId: meta.aggregateId,
      version: meta.version,
      traceparent: currentTraceparent(),
    }),
    payload: JSON.stringify(checked),
    createdAt: meta.at,
    claimedBy: null,
    claimedUntil: null,
    publishedAt: null,
    streamSeq: null,
  };
  const before = staged.get(em);
  if (before === undefined) staged.set(em, [message]);
  else before.push(message);
}
