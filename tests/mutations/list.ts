// Guarantees broken on purpose: one small edit each, and the test that must notice it.

export interface Mutation {
  readonly name: string;
  /** The guarantee of DESIGN.md that it breaks. */
  readonly breaks: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** The test that must fail: pattern of its file, and of its name. */
  readonly caughtBy: { readonly file: string; readonly name: string };
}

const relay = 'service/relay.int.test.ts';
const consumer = 'service/consumer.int.test.ts';
const shared = 'service/shared-transaction.int.test.ts';
const isolation = 'tests/faults/isolation.e2e.ts';
const payment = 'subgraphs/payment/subgraph.int.test.ts';
const delivery = 'subgraphs/delivery/subgraph.int.test.ts';

export const mutations: readonly Mutation[] = [
  {
    name: 'drop the inbox check',
    breaks: 'G2',
    file: 'service/database-transactions.ts',
    from: 'const recorded = messages.length === 0 ? 0 : await recordInInbox(em, messages);',
    to: 'if (messages.length > 0) await recordInInbox(em, messages);\n  const recorded = messages.length;',
    caughtBy: { file: consumer, name: 'G2: an event takes effect once' },
  },
  {
    name: 'let one failure fail all that share its transaction',
    breaks: 'G6',
    file: 'service/join-calls.ts',
    from: '} catch {\n      for (const call of calls) runAlone(call);',
    to: '} catch (error) {\n      for (const call of calls) call.reject(error);',
    caughtBy: { file: shared, name: 'G6: one that fails is rolled back alone' },
  },
  {
    name: 'commit again when the outcome is not known',
    breaks: 'G4',
    file: 'service/database-transactions.ts',
    from: 'if (isDeadlock(error)) throw error;\n      // Whether',
    to: 'throw error;\n      // Whether',
    caughtBy: { file: shared, name: 'a commit whose outcome is not known' },
  },
  {
    name: 'publish before the commit',
    breaks: 'G1',
    file: 'service/relay.ts',
    from: 'if (!waiting.has(event.aggregateId)) Object.assign(event, { claimedBy: me, claimedUntil });',
    to: 'if (!waiting.has(event.aggregateId)) Object.assign(event, { claimedBy: me, claimedUntil });\n      void publisher.publish(events, claimedUntil.getTime(), claiming);',
    caughtBy: { file: 'tests/faults/outbox-kill.int.test.ts', name: 'killed before the commit' },
  },
  {
    name: 'forget what was committed when the process died',
    breaks: 'G1',
    file: 'service/database-outbox.ts',
    from: 'published_at is null and (claimed_until is null or claimed_until < ?)',
    to: 'published_at is null and (claimed_until is null and claimed_until < ?)',
    caughtBy: { file: 'tests/faults/outbox-kill.int.test.ts', name: 'killed after the commit' },
  },
  {
    name: 'ignore the order of versions in the relay',
    breaks: 'G3',
    file: 'service/database-outbox.ts',
    from: 'and aggregate_id not in (select aggregate_id from outbox\n                                  where stream = ? and published_at is null and claimed_until >= ?)\n       order by seq',
    to: 'and (stream = ? or created_at < ?)\n       order by seq desc',
    caughtBy: { file: relay, name: 'what stands behind a row that somebody has is left alone' },
  },
  {
    name: 'go before what was given back meanwhile',
    breaks: 'G3',
    file: 'service/relay.ts',
    from: 'const overtaking = claim.returned !== publisher.returned();',
    to: 'const overtaking = false;',
    caughtBy: { file: relay, name: 'G3: a change does not overtake' },
  },
  {
    name: 'take for sent what a lost commit has claimed',
    breaks: 'G3',
    file: 'service/database-outbox.ts',
    from: 'mine === null || !isUnderWay(Number(mine))',
    to: 'mine === null',
    caughtBy: { file: relay, name: 'G3: what was committed although' },
  },
  {
    name: 'handle the events of one order side by side',
    breaks: 'G3',
    file: 'service/consumer.ts',
    from: 'const lane = (lanes.get(key) ?? Promise.resolve()).then(work)',
    to: 'const lane = Promise.resolve().then(work)',
    caughtBy: { file: consumer, name: 'G3: events of one order' },
  },
  {
    name: 'charge without a key',
    breaks: 'G4',
    file: 'subgraphs/payment/use-cases.ts',
    from: '    idempotencyKey: payment.id,',
    to: '    idempotencyKey: uuid(),',
    caughtBy: { file: payment, name: 'tok_lost_reply' },
  },
  {
    name: 'let a charge pass that was refunded before it came',
    breaks: 'G4',
    file: 'subgraphs/payment/sandbox-processor.ts',
    from: "if (charge.declineReason === 'pending') charge.declineReason = 'reversed';",
    to: '',
    caughtBy: { file: 'subgraphs/payment/sandbox-processor.int.test.ts', name: 'between a charge that did not reach' },
  },
  {
    name: 'keep broken connections in the pool',
    breaks: 'G4',
    file: 'service/database-engines.ts',
    from: "if (inUse.has(client)) client.release(new Error('Connection terminated'));",
    to: '',
    caughtBy: { file: 'service/database.int.test.ts', name: 'leave the pool' },
  },
  {
    name: 'skip the marker of payment',
    breaks: 'G5',
    file: 'subgraphs/payment/use-cases.ts',
    from: 'const marker = insertPayment(em, { ...cancelledBeforePlaced(), ...emptyPayment(deps, request) });',
    to: 'const marker = { ...cancelledBeforePlaced(), ...emptyPayment(deps, request) } as PaymentRow;',
    caughtBy: { file: payment, name: 'that overtakes its order leaves a marker' },
  },
  {
    name: 'skip the marker of delivery',
    breaks: 'G5',
    file: 'subgraphs/delivery/use-cases.ts',
    from: 'const decision = known === null ? undefined :',
    to: "if (known === null) return { outcome: 'cancelled' };\n    const decision =",
    caughtBy: { file: delivery, name: 'that overtakes its payment leaves a marker' },
  },
  {
    name: 'forget the re-drive of cancels',
    breaks: 'G5',
    file: 'subgraphs/order/driver.ts',
    from: "if (order.status === 'CANCELLING') {\n      await driveCancel(deps, orderId);\n      return;\n    }",
    to: "if (order.status === 'CANCELLING') return;",
    caughtBy: { file: isolation, name: 'N1: an order is not cancelled while payment' },
  },
  {
    name: 'open a refused cancel again',
    breaks: 'G5',
    file: 'subgraphs/payment/payment.ts',
    from: "if (state === 'PAID' && refusal !== null) return rejected(refusal);",
    to: '',
    caughtBy: { file: payment, name: 'that was refused once is refused for good' },
  },
  {
    name: 'say CANCELLED before payment has confirmed',
    breaks: 'N1',
    file: 'subgraphs/order/order.ts',
    from: "if (status === 'CANCELLING' && paymentStatus === 'CANCELLED')",
    to: "if (status === 'CANCELLING')",
    caughtBy: { file: 'subgraphs/order/order.test.ts', name: '.' },
  },
  {
    name: 'let consumers take the connections of requests',
    breaks: 'N3',
    file: 'service/subgraph.ts',
    from: 'await openOwnDatabase(config.DATABASE_BACKGROUND_POOL_SIZE);',
    to: 'database;',
    caughtBy: { file: isolation, name: 'N3: while every transaction of the consumers' },
  },
  {
    name: 'ask again about a cancel that was refused for good',
    breaks: 'G5',
    file: 'subgraphs/order/order.ts',
    from: 'if (state.cancelRefusal !== null) return rejected(state.cancelRefusal);',
    to: '',
    caughtBy: { file: 'subgraphs/order/order.test.ts', name: 'what payment has refused is refused for good' },
  },
  {
    name: 'try poison for ever',
    breaks: 'G6',
    file: 'service/consumer.ts',
    from: "if (disposition === 'nak' && !hopeless) {",
    to: "if (disposition === 'nak' || !hopeless) {",
    caughtBy: { file: consumer, name: 'G6: poison is parked' },
  },
  {
    name: 'do not look at the stream after a loss',
    breaks: 'G7',
    file: 'service/stream-recovery.ts',
    from: 'if (newest !== null && !(await holds',
    to: 'if (newest !== null && newest.seq < 0 && !(await holds',
    caughtBy: { file: relay, name: 'G7: a stream that was destroyed' },
  },
  {
    name: 'mark what the stream has lost meanwhile',
    breaks: 'G7',
    file: 'service/database-outbox.ts',
    from: 'where o.seq = v.seq and known.generation = ?',
    to: 'where o.seq = v.seq and known.generation >= ? - known.generation * 0 - 1000',
    caughtBy: { file: relay, name: 'G7: a relay that is held up' },
  },
  {
    name: 'join each lost row with each in the claim',
    breaks: 'G7',
    file: 'service/database-outbox.ts',
    from: 'and aggregate_id not in (select aggregate_id from outbox\n                                  where stream = ? and published_at is null and claimed_until >= ?)',
    to: 'and not exists (select 1 from outbox e where e.aggregate_id = outbox.aggregate_id and e.stream = ? and e.published_at is null and e.seq < outbox.seq and e.claimed_until >= ?)',
    caughtBy: { file: 'service/database-outbox.int.test.ts', name: 'G7: 15,000 rows' },
  },
  {
    name: 'leave a consumer that is ahead of its stream',
    breaks: 'G7',
    file: 'service/consumer.ts',
    from: 'if (consumer.delivered.stream_seq > state.last_seq) {',
    to: 'if (consumer.delivered.stream_seq < 0) {',
    caughtBy: { file: consumer, name: 'a consumer that is ahead of a stream' },
  },
  {
    name: 'forget where a lost row was stored at first',
    breaks: 'G8',
    file: 'service/database-outbox.ts',
    from: '`update outbox set headers = ${noted},',
    to: '`update outbox set headers = case when ${noted} is null then null else headers end,',
    caughtBy: { file: relay, name: 'G8: what is published again' },
  },
  {
    name: 'give what a lost stream is filled with as new',
    breaks: 'G8',
    file: 'router/subscriptions/positions.ts',
    from: 'return first.sequence <= reached;',
    to: 'return first.sequence < 0 && reached > 0;',
    caughtBy: { file: 'router/subscriptions/engine.test.ts', name: 'is old for who begins while it is filled' },
  },
  {
    name: 'believe what comes live before the stream was looked at',
    breaks: 'G8',
    file: 'router/subscriptions/engine.ts',
    from: 'for (const ofStream of topics.values()) for (const topic of ofStream.values()) topic.suspend();',
    to: '',
    caughtBy: { file: 'router/subscriptions/engine.test.ts', name: 'says nothing until it was looked at' },
  },
  {
    name: 'replay from the midst of a stream being filled',
    breaks: 'G8',
    file: 'router/subscriptions/topic.ts',
    from: "if (firstStored.identity !== this.#identity) return 'expired';",
    to: '',
    caughtBy: { file: 'router/subscriptions/beginning.test.ts', name: 'from the midst of a stream' },
  },
  {
    name: 'change a stream that is as it should be',
    breaks: 'G7',
    file: 'service/nats.ts',
    from: 'return isAsWanted ? info :',
    to: 'return isAsWanted && Date.now() < 0 ? info :',
    caughtBy: { file: relay, name: 'G7: a broker that was only restarted' },
  },
  {
    name: 'take another age of a stream for its loss',
    breaks: 'G7',
    file: 'service/stream-recovery.ts',
    from: 'if (newest !== null && !(await holds(newest.streamSeq ?? 0, newest.id))) {',
    to: 'if (newest !== null && (known.streamCreated !== created || !(await holds(newest.streamSeq ?? 0, newest.id)))) {',
    caughtBy: { file: relay, name: 'G7: a stream whose age' },
  },
  {
    name: 'take a stream for another one whose age the broker has changed',
    breaks: 'G8',
    file: 'router/subscriptions/nats-source.ts',
    from: '(before === made || isOlderThanMade(info))',
    to: 'before === made',
    caughtBy: { file: 'router/subscriptions/nats-source.int.test.ts', name: 'a stream keeps its identity' },
  },
  {
    name: 'remember tokens whose key is gone',
    breaks: 'G10',
    file: 'service/identity.ts',
    from: 'if (changes !== changesSeen) remembered.clear();',
    to: '',
    caughtBy: { file: 'service/identity.test.ts', name: 'that are taken out take the tokens of theirs' },
  },
];
