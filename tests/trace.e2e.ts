// One trace for one order: from the customer's request through outbox, stream and three processes to the frame on the socket.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';
import { patient, signIn, subscriptionsOpen } from './client.ts';
import type { Customer } from './client.ts';
import { receiveTraces } from './trace-receiver.ts';
import type { ExportedSpan, TraceReceiver } from './trace-receiver.ts';

interface OrderEvent {
  readonly status: string;
  readonly order: { readonly id: string };
}

/** Spans by what they are called here, each with what it must follow from. A change of status may follow from any of three. */
const expectedParents: Readonly<Record<string, readonly (string | undefined)[]>> = {
  'router: request': [undefined],
  'order: request': ['router: request'],
  'order: order.placed publish': ['order: request'],
  'payment: order.placed process': ['order: order.placed publish'],
  'payment: payment.paid publish': ['payment: order.placed process'],
  'order: payment.paid process': ['payment: payment.paid publish'],
  'delivery: payment.paid process': ['payment: payment.paid publish'],
  'delivery: delivery.started publish': ['delivery: payment.paid process'],
  'order: delivery.started process': ['delivery: delivery.started publish'],
  // Payment and delivery may overtake each other on their way back.
  'order: order.status publish': ['order: request', 'order: payment.paid process', 'order: delivery.started process'],
  'router: live event': ['order: order.status publish'],
  'router: live frames': ['order: order.status publish'],
  'payment: request': ['router: live event'],
  'delivery: request': ['router: live event'],
};
const cancelParents: Readonly<Record<string, readonly (string | undefined)[]>> = {
  'router: request': [undefined],
  'order: request': ['router: request'],
  'order: payment.cancel send': ['order: request'],
  'payment: payment.cancel serve': ['order: payment.cancel send'],
  'payment: delivery.cancel send': ['payment: payment.cancel serve'],
  'delivery: delivery.cancel serve': ['payment: delivery.cancel send'],
  'router: live frames': ['order: order.status publish'],
};

let traces: TraceReceiver;
let stack: Stack;
let alice: Customer;

beforeAll(async () => {
  traces = await receiveTraces();
  stack = await startStack({
    dataDir: await mkdtemp(join(tmpdir(), 'baedal-trace-')),
    disposable: true,
    // Spans are sent as they end, nearly, instead of every five seconds.
    environment: {
      all: { OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' },
      router: patient,
    },
  });
  alice = await signIn(stack, 'alice');
});
afterAll(async () => {
  await stack.stop();
  await traces.close();
});

test('from placing an order to the last frame of its watcher, and then of its cancel', async () => {
  const watch = alice.watch<OrderEvent>(
    'subscription { myOrderStatusChanged { status order { id payment { status } delivery { status } } } }',
  );
  const sees = (id: string, status: string) => watch.until((event) => event.order.id === id && event.status === status);
  // Every status of the order must be seen.
  await subscriptionsOpen(stack, 1);
  const id = await placeOrder();
  await sees(id, 'DELIVERING');

  const spans = await traceOf(
    ({ service, name, attributes }) =>
      service === 'order' &&
      name === 'order.placed publish' &&
      attributes['messaging.destination.name'] === `order.placed.${id}`,
    (trace) =>
      Object.keys(expectedParents).every((name) => trace.some((span) => labelOf(span) === name)) &&
      frames(trace).length === 3,
  );
  expectParents(spans, expectedParents);
  // The frames of the trace are those that the watcher was given: one for each change of this order, on one socket.
  expect(watch.seen.filter(({ order }) => order.id === id).map(({ status }) => status)).toEqual([
    'ORDERED',
    'PAID',
    'DELIVERING',
  ]);
  expect(
    frames(spans).map(({ attributes }) => [attributes['messaging.destination.name'], attributes['live.subscribers']]),
  ).toEqual(Array.from({ length: 3 }, () => [`order.status.alice.${id}`, 1]));

  await alice.get('mutation ($id: ID!) { cancelOrder(input: { orderId: $id }) { order { status } } }', { id });
  await sees(id, 'CANCELLED');
  const cancel = await traceOf(
    ({ service, name, traceId }) =>
      service === 'order' && name === 'payment.cancel send' && traceId !== spans[0]?.traceId,
    (trace) =>
      Object.keys(cancelParents).every((name) => trace.some((span) => labelOf(span) === name)) &&
      frames(trace).length === 2,
  );
  expectParents(cancel, cancelParents);
  await watch.stop();
});

async function placeOrder(): Promise<string> {
  const { placeOrder: placed } = await alice.get<{ placeOrder: { order: { id: string } } }>(
    'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }',
    { input: { items: [{ menuId: '0190a000-0000-7000-8000-000000000001', quantity: 1 }] } },
  );
  return placed.order.id;
}

/** All spans of the trace that holds a certain one, once they are there. Processes send theirs when they like, parents after children too. */
async function traceOf(
  isOfIt: (span: ExportedSpan) => boolean,
  isWhole: (trace: readonly ExportedSpan[]) => boolean,
): Promise<readonly ExportedSpan[]> {
  const trace = (spans: readonly ExportedSpan[]): readonly ExportedSpan[] => {
    const traceId = spans.find(isOfIt)?.traceId;
    return spans.filter((span) => span.traceId === traceId);
  };
  return trace(await traces.until((spans) => isWhole(trace(spans)) && hasItsParents(trace(spans))));
}

function hasItsParents(trace: readonly ExportedSpan[]): boolean {
  const ids = new Set(trace.map(({ spanId }) => spanId));
  return trace.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId));
}

const frames = (spans: readonly ExportedSpan[]): ExportedSpan[] =>
  spans.filter((span) => labelOf(span) === 'router: live frames');

/** GraphQL over HTTP is called `request`, whatever the operation. */
const labelOf = ({ service, name, kind }: ExportedSpan): string =>
  `${service}: ${kind === 'server' && !name.endsWith(' serve') ? 'request' : name}`;

/** Each expected span follows from what it should: the nearest of its ancestors that has a name here, as others may stand between. */
function expectParents(
  spans: readonly ExportedSpan[],
  parents: Readonly<Record<string, readonly (string | undefined)[]>>,
): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const named = new Set([...Object.keys(parents), ...Object.values(parents).flat()]);
  const follows = (span: ExportedSpan): string | undefined => {
    if (span.parentSpanId === undefined) return undefined;
    const parent = byId.get(span.parentSpanId);
    if (parent === undefined) return 'a span that was never exported';
    return named.has(labelOf(parent)) ? labelOf(parent) : follows(parent);
  };
  const wrong = spans
    .filter((span) => parents[labelOf(span)] !== undefined)
    .map((span) => ({ span: labelOf(span), follows: follows(span) }))
    .filter(({ span, follows: parent }) => !parents[span]?.includes(parent));
  expect(wrong).toEqual([]);
}
