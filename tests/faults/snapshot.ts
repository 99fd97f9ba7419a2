// Everything there is to know after a run: the rows of the three databases, the card processor's books and the streams.
import type { NatsConnection } from 'nats';
import type { DeliveryStatus, OrderStatus, PaymentStatus, StreamName } from '../../schema/events.ts';
import { subgraphNames } from '../../dev/stack-addresses.ts';
import type { SubgraphName } from '../../dev/stack-addresses.ts';
import type { EngineName } from '../../service/database-engines.ts';
import type { Database } from '../../service/database.ts';
import { firstStoredHeader } from '../../service/nats.ts';

export interface OrderFact {
  readonly id: string;
  readonly customer_id: string;
  readonly idempotency_key: string | null;
  readonly total: number;
  readonly status: OrderStatus;
  readonly version: number;
  readonly payment_status: PaymentStatus | null;
  readonly delivery_id: string | null;
  readonly delivery_status: DeliveryStatus | null;
  readonly timeline: readonly { status: OrderStatus; version: number; at: string; reason: string | null }[];
}
export interface PaymentFact {
  readonly id: string;
  readonly order_id: string;
  readonly state: 'CHARGING' | 'PAID' | 'DECLINED' | 'CANCELLING' | 'CANCELLED';
  readonly amount: number;
  readonly paid_at: Date | null;
  readonly cancelled_at: Date | null;
}
export interface ChargeFact {
  readonly key: string;
  readonly order_id: string;
  readonly status: 'APPROVED' | 'DECLINED' | 'REVERSED';
  readonly charged: number;
  readonly refunded: number;
}
export interface DeliveryFact {
  readonly id: string;
  readonly order_id: string;
  readonly status: DeliveryStatus;
  readonly started_at: Date | null;
}
export interface OutboxFact {
  readonly service: SubgraphName;
  readonly seq: number;
  readonly id: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly stream: StreamName;
  readonly type: string;
  readonly isPublished: boolean;
  /** Where it was stored at first; null when it never was. */
  readonly place: Place | null;
}
/** A place in a stream, which is known by when it was made: one that was lost is made anew under its name. */
export interface Place {
  readonly streamCreated: string;
  readonly sequence: number;
}
export interface StoredMessage {
  readonly stream: StreamName;
  readonly seq: number;
  readonly id: string;
  readonly type: string;
  readonly aggregateId: string;
  readonly version: number;
}
export interface DeadLetter {
  readonly subject: string;
  readonly durable: string;
  readonly code: string;
  readonly reason: string;
  readonly orderId: string;
}
export interface Snapshot {
  readonly orders: readonly OrderFact[];
  readonly payments: readonly PaymentFact[];
  readonly charges: readonly ChargeFact[];
  readonly deliveries: readonly DeliveryFact[];
  readonly outbox: readonly OutboxFact[];
  readonly stored: readonly StoredMessage[];
  readonly deadLetters: readonly DeadLetter[];
}

type Databases = Readonly<Record<SubgraphName, Database>>;

export async function takeSnapshot(databases: Databases, broker: NatsConnection): Promise<Snapshot> {
  const rows = <Row>(name: SubgraphName, sql: string): Promise<Row[]> => databases[name].read().execute<Row[]>(sql);
  const [orders, payments, charges, deliveries, outboxes, order, payment, delivery, parked] = await Promise.all([
    rows<OrderFact>('order', 'select * from customer_order order by id'),
    rows<PaymentFact>('payment', 'select * from payment order by id'),
    rows<ChargeFact>('payment', 'select * from sandbox_charge'),
    rows<DeliveryFact>('delivery', 'select * from delivery order by id'),
    Promise.all(subgraphNames.map((name) => readOutbox(databases[name], name))),
    readStream(broker, 'ORDER'),
    readStream(broker, 'PAYMENT'),
    readStream(broker, 'DELIVERY'),
    readStream(broker, 'DEAD_LETTER'),
  ]);
  return {
    orders,
    payments: payments.map((payment) => ({
      ...payment,
      paid_at: timeOf(payment.paid_at),
      cancelled_at: timeOf(payment.cancelled_at),
    })),
    charges,
    deliveries,
    outbox: outboxes.flat(),
    stored: [...order, ...payment, ...delivery].map(({ headers: _headers, ...message }) => message),
    deadLetters: parked.map(({ headers }) => ({
      subject: headers('dead-letter-subject'),
      durable: headers('dead-letter-durable'),
      code: headers('dead-letter-code'),
      reason: headers('dead-letter-reason'),
      orderId: headers('ce-subject'),
    })),
  };
}

/** MariaDB's driver gives times as text, which are in UTC. */
const timeOf = (value: Date | string | null): Date | null =>
  typeof value === 'string' ? new Date(`${value.replace(' ', 'T')}Z`) : value;

const header: Readonly<Record<EngineName, (name: string) => string>> = {
  postgresql: (name) => `headers ->> '${name}'`,
  mariadb: (name) => `json_value(headers, '$."${name}"')`,
};

async function readOutbox(database: Database, service: SubgraphName): Promise<OutboxFact[]> {
  const rows = await database.read().execute<
    {
      seq: string;
      id: string;
      aggregate_id: string;
      version: number;
      stream: StreamName;
      type: string;
      published_at: Date | null;
      first_stored: string | null;
      stream_created: string;
      stream_seq: string | null;
    }[]
  >(
    `select seq, id, aggregate_id, version, outbox.stream, published_at, stream_seq, stream_created,
       ${header[database.engine.name]('ce-type')} as type, ${header[database.engine.name](firstStoredHeader)} as first_stored
     from outbox join outbox_relay on outbox_relay.stream = outbox.stream order by seq`,
  );
  return rows.map((row) => ({
    service,
    seq: Number(row.seq),
    id: row.id,
    aggregateId: row.aggregate_id,
    version: row.version,
    stream: row.stream,
    type: row.type,
    isPublished: row.published_at !== null,
    place: placeOf(row.first_stored ?? `${row.stream} ${row.stream_created} ${row.stream_seq ?? ''}`),
  }));
}

/** Reads `<stream> <when that was made> <sequence>`. */
function placeOf(text: string): Place | null {
  const [, streamCreated = '', sequence = ''] = text.split(' ');
  return sequence === '' ? null : { streamCreated, sequence: Number(sequence) };
}

/** All messages of a stream, oldest first; none when there is no such stream. */
async function readStream(
  broker: NatsConnection,
  stream: StreamName,
): Promise<(StoredMessage & { readonly headers: (name: string) => string })[]> {
  const manager = await broker.jetstreamManager();
  const info = await manager.streams.info(stream).catch(() => undefined);
  const messages: (StoredMessage & { readonly headers: (name: string) => string })[] = [];
  if (info === undefined || info.state.messages === 0) return messages;
  const consumer = await broker.jetstream().consumers.get(stream);
  const reading = await consumer.consume({ max_messages: 1_000 });
  for await (const message of reading) {
    const { headers } = message;
    const header = (name: string): string => headers?.get(name) ?? '';
    messages.push({
      stream,
      seq: message.seq,
      id: header('Nats-Msg-Id'),
      type: header('ce-type'),
      aggregateId: header('ce-subject'),
      version: Number(header('ce-aggregateversion')),
      headers: header,
    });
    if (message.seq >= info.state.last_seq) break;
  }
  return messages;
}

/** What is still on its way: orders without an end, wishes under way, events not published, messages not handled. */
export async function countUnsettled(databases: Databases, broker: NatsConnection): Promise<Record<string, number>> {
  const count = async (name: SubgraphName, from: string): Promise<number> => {
    const [row] = await databases[name].read().execute<{ count: string }[]>(`select count(*) as count from ${from}`);
    return Number(row?.count ?? 0);
  };
  const [orders, payments, deliveries, ...outboxes] = await Promise.all([
    count('order', `customer_order where status not in ('DELIVERED', 'REJECTED', 'CANCELLED')`),
    count('payment', `payment where state in ('CHARGING', 'CANCELLING')`),
    count('delivery', `delivery where status = 'STARTED'`),
    ...subgraphNames.map((name) => count(name, 'outbox where published_at is null')),
  ]);
  const manager = await broker.jetstreamManager();
  let messages = 0;
  for (const stream of ['ORDER', 'PAYMENT', 'DELIVERY'] as const) {
    for await (const { num_pending, num_ack_pending } of manager.consumers.list(stream)) {
      messages += num_pending + num_ack_pending;
    }
  }
  const unpublished = outboxes.reduce((sum, one) => sum + one, 0);
  return { orders, payments, deliveries, unpublished, messages };
}
