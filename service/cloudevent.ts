// The envelope of every event: CloudEvents 1.0 in binary mode over NATS headers (cloudevents/spec, NATS protocol binding 1.0).
import { z } from 'zod';
import { events } from '../schema/events.ts';
import type { EventData, EventType } from '../schema/events.ts';
import { CodedError } from './errors.ts';

/** What the envelope says of an event. */
export interface EventMeta {
  /** UUID; unique for each change of each aggregate, and the broker's message id. */
  readonly id: string;
  /** The service that wrote it. */
  readonly source: string;
  /** When it happened, RFC 3339. */
  readonly time: string;
  /** The id of the aggregate that changed. */
  readonly aggregateId: string;
  /** Its version after the change. */
  readonly version: number;
  /** W3C trace context of the change, if it was traced. */
  readonly traceparent: string | undefined;
}

/** A received event, its payload checked against the event table. */
export type ReceivedEvent<Type extends EventType = EventType> = {
  [Each in Type]: EventMeta & { readonly type: Each; readonly data: EventData<Each> };
}[Type];

const envelope = z.object({
  'ce-specversion': z.literal('1.0'),
  'ce-id': z.string().min(1).max(100),
  'ce-source': z.string().min(1),
  'ce-type': z.enum(Object.keys(events) as [EventType, ...EventType[]]),
  'ce-time': z.string(),
  'ce-subject': z.string().min(1),
  'ce-aggregateversion': z.string().regex(/^\d+$/).transform(Number),
  traceparent: z.string().optional(),
});

/** The headers of an event. */
export function cloudEventHeaders(type: EventType, meta: EventMeta): Record<string, string> {
  return {
    'ce-specversion': '1.0',
    'ce-id': meta.id,
    'ce-source': `/${meta.source}`,
    'ce-type': type,
    'ce-time': meta.time,
    'ce-subject': meta.aggregateId,
    'ce-aggregateversion': String(meta.version),
    'content-type': 'application/json',
    ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
  };
}

/**
 * Reads a message back into an event.
 * @param header gives one header, or undefined.
 * @throws CodedError MESSAGE_INVALID naming what does not fit.
 */
export function readCloudEvent(header: (name: string) => string | undefined, payload: string): ReceivedEvent {
  const names = Object.keys(envelope.shape);
  const head = envelope.safeParse(Object.fromEntries(names.map((name) => [name, header(name)])));
  if (!head.success) throw new CodedError('MESSAGE_INVALID', `Envelope: ${z.prettifyError(head.error)}`);

  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch (error) {
    throw new CodedError('MESSAGE_INVALID', 'The payload is not JSON.', {}, error);
  }
  // PostgreSQL stores no U+0000 and says so in words that look like a broken connection: such a message would be tried for ever.
  if (payload.includes('\\u0000') && hasNul(json)) {
    throw new CodedError('MESSAGE_INVALID', 'The payload holds the character U+0000.');
  }
  const type = head.data['ce-type'];
  const data = events[type].data.safeParse(json);
  if (!data.success) throw new CodedError('MESSAGE_INVALID', `Payload of ${type}: ${z.prettifyError(data.error)}`);

  return {
    type,
    data: data.data,
    id: head.data['ce-id'],
    source: head.data['ce-source'].slice(1),
    time: head.data['ce-time'],
    aggregateId: head.data['ce-subject'],
    version: head.data['ce-aggregateversion'],
    traceparent: head.data.traceparent,
  } as ReceivedEvent;
}

const hasNul = (value: unknown): boolean =>
  typeof value === 'string'
    ? value.includes('\0')
    : typeof value === 'object' && value !== null && Object.values(value).some(hasNul);
