// Transactions: the one way to change rows. Those asked for at the same time may share one (group commit); events are written, and
// messages recorded, in the transaction of the change.
import { AsyncResource } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DeadlockException } from '@mikro-orm/core';
import { insertNewRows, insertNumberedRows, writeRows } from './database-rows.ts';
import type { EntityManager } from './database.ts';
import { InboxEntry } from './inbox.ts';
import { joinCalls } from './join-calls.ts';
import { OutboxMessage, stagedEvents } from './outbox.ts';

export interface Transactions {
  /**
   * Runs `work` in one transaction (read committed) and commits; runs it again when the server breaks a deadlock by ending this
   * transaction, so it must touch nothing else.
   */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  /**
   * As above, and records `message` in the inbox; when it was recorded before, `work` does not run and the answer is undefined: the
   * event takes effect once. Messages of one consumer that are here at once share a transaction.
   */
  transaction<T>(work: (em: EntityManager) => Promise<T>, message: InboxMessage): Promise<T | undefined>;
  /**
   * As `transaction`, for work of one kind that is asked for often: what is here at once shares one transaction (group commit), each
   * in its own trace. Every work must be about another aggregate. When one of them fails all are rolled back, and run one by one.
   */
  sharedTransaction<T>(kind: string, work: (em: EntityManager) => Promise<T>): Promise<T>;
  /** Takes part in every transaction; returns how to stop. */
  onTransaction(hook: TransactionHook): () => void;
}

/** What runs around the commit of each transaction. */
export interface TransactionHook {
  /** Inside the transaction, when its work is done; what it rejects with rolls everything back. */
  readonly beforeCommit: (em: EntityManager) => Promise<void>;
  /** After the commit, with the same entity manager. */
  readonly afterCommit: (em: EntityManager) => void;
}

/** A message whose effect must happen once for each consumer. */
export interface InboxMessage {
  readonly consumer: string;
  readonly id: string;
}

/** Deadlocks are ordinary on MariaDB, which locks index entries. One transaction of each always goes on, so this ends. */
const deadlockAttempts = 10;
const isDeadlock = (error: unknown): boolean => error instanceof DeadlockException;

export function createTransactions(fork: () => EntityManager): Transactions {
  const hooks = new Set<TransactionHook>();

  /** Runs works in one transaction; rejects when nothing of it took effect. */
  const attempt = async (works: readonly Work[]): Promise<PromiseSettledResult<unknown>[]> => {
    const em = fork();
    await em.begin();
    let results;
    try {
      results = await runIn(em, works);
      if (results !== undefined) for (const hook of hooks) await hook.beforeCommit(em);
      await em.flush();
      await writeRows(em);
      await insertEvents(em);
    } catch (error) {
      await em.rollback().catch(() => undefined);
      throw error;
    }
    try {
      await em.commit();
    } catch (error) {
      await em.rollback().catch(() => undefined);
      if (isDeadlock(error)) throw error;
      // Whether it took effect is not known, so it is not done again here.
      return works.map(() => ({ status: 'rejected', reason: error }));
    }
    if (results === undefined) return works.map(() => ({ status: 'fulfilled', value: undefined }));
    for (const hook of hooks) hook.afterCommit(em);
    return results;
  };

  const alone = async (work: Work): Promise<unknown> => {
    for (let tried = 1; ; tried += 1) {
      try {
        const [result] = await attempt([work]);
        if (result?.status === 'rejected') throw result.reason;
        return result?.value;
      } catch (error) {
        if (tried === deadlockAttempts || !isDeadlock(error)) throw error;
        await delay(Math.random() * 5 * tried);
      }
    }
  };

  const kinds = new Map<string, (work: Work) => Promise<unknown>>();
  const shared = (kind: string, { run, message }: Work): Promise<unknown> => {
    const join = kinds.get(kind) ?? joinCalls({ alone, together: attempt });
    kinds.set(kind, join);
    return join({ run: AsyncResource.bind(run), message });
  };

  return {
    transaction: <T>(run: (em: EntityManager) => Promise<T>, message?: InboxMessage) =>
      (message === undefined
        ? alone({ run, message })
        : shared(`inbox ${message.consumer}`, { run, message })) as Promise<T>,
    sharedTransaction: <T>(kind: string, run: (em: EntityManager) => Promise<T>) =>
      shared(kind, { run, message: undefined }) as Promise<T>,
    onTransaction(hook) {
      hooks.add(hook);
      return () => hooks.delete(hook);
    },
  };
}

/** What one caller wants done in a transaction. */
interface Work {
  readonly run: (em: EntityManager) => Promise<unknown>;
  readonly message: InboxMessage | undefined;
}

/** Runs works side by side; undefined when their messages were all recorded before. */
async function runIn(
  em: EntityManager,
  works: readonly Work[],
): Promise<PromiseFulfilledResult<unknown>[] | undefined> {
  const messages = works.flatMap(({ message }) => message ?? []);
  const recorded = messages.length === 0 ? 0 : await recordInInbox(em, messages);
  if (recorded === 0 && messages.length > 0) return undefined;
  if (recorded < messages.length)
    throw new Error('some of these messages were recorded before: they are told apart one by one');
  const results = await Promise.allSettled(works.map(({ run }) => run(em)));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result;
  });
}

/** How many are here for the first time: a concurrent delivery of the same message waits on the primary key, then sees it taken. */
async function recordInInbox(em: EntityManager, messages: readonly InboxMessage[]): Promise<number> {
  const receivedAt = new Date();
  const entries = messages
    .map(({ consumer, id }) => ({ consumer, eventId: id, receivedAt }))
    // Always in the same order, so that two instances never wait for each other.
    .toSorted((one, other) => (one.eventId < other.eventId ? -1 : 1));
  return insertNewRows(em, InboxEntry, entries, ['consumer', 'eventId']);
}

/** Writes the staged events into the outbox, and each is told its place. They are none of the entities that `em` watches for changes. */
async function insertEvents(em: EntityManager): Promise<void> {
  const events = stagedEvents(em);
  if (events.length === 0) return;
  const places = await insertNumberedRows(em, OutboxMessage, events, 'seq');
  for (const [index, event] of events.entries()) event.seq = places[index] ?? Number.NaN;
}
