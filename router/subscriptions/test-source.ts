// For tests: a stream in memory behind the engine's port, which can lose messages, go away and be made anew.
import { CodedError } from '../../service/errors.ts';
import type { Listener, Place, Source, StreamMessage } from './source.ts';

export interface TestSource extends Source {
  /** Stores a message and, unless `lost`, hands it to who watches. */
  publish(
    subject: string,
    version: number,
    options?: { readonly lost?: boolean; readonly firstStored?: Place | undefined },
  ): void;
  /** Publishes again, in order, what stood in the stream when it was last made anew. */
  refill(): void;
  /** Nothing is delivered and every read fails until `reconnect`. */
  disconnect(): void;
  reconnect(): void;
  /** Forgets all messages and counts from 1 again. */
  rebuild(): void;
  /** Removes the oldest messages up to and with `sequence`. */
  purge(sequence: number): void;
  /** Reads wait until the returned function is called. */
  hold(): () => void;
  watches(): number;
  reads(): number;
}

export function createTestSource(): TestSource {
  let messages: StreamMessage[] = [];
  let destroyed: StreamMessage[] = [];
  let made = 1;
  let sequence = 0;
  let connected = true;
  let gate: Promise<void> = Promise.resolve();
  let reads = 0;
  const watches = new Set<{ readonly subject: string; readonly listener: Listener }>();
  const reconnected = new Set<() => void>();
  const matches = (pattern: string, subject: string): boolean =>
    pattern === subject || (pattern.endsWith('.>') && subject.startsWith(pattern.slice(0, -1)));
  const read = async <T>(answer: () => T): Promise<T> => {
    reads += 1;
    await gate;
    if (!connected) throw new CodedError('SERVICE_UNAVAILABLE');
    return answer();
  };

  return {
    isConnected: () => connected,
    describe: () =>
      read(() => ({
        identity: `making ${String(made)}`,
        firstSequence: messages[0]?.sequence ?? sequence + 1,
        lastSequence: sequence,
      })),
    watch: async (_stream, subject, _within, listener) => {
      const watch = { subject, listener };
      watches.add(watch);
      await Promise.resolve();
      return { remove: () => watches.delete(watch) };
    },
    last: (_stream, subject) => read(() => messages.findLast((message) => matches(subject, message.subject))),
    next: (_stream, subject, from) =>
      read(() => messages.find((message) => message.sequence >= from && matches(subject, message.subject))),
    onReconnect(listener) {
      reconnected.add(listener);
      return () => reconnected.delete(listener);
    },

    publish(subject, version, { lost = false, firstStored } = {}) {
      sequence += 1;
      const message: StreamMessage = {
        subject,
        sequence,
        previous: messages.findLast((one) => one.subject === subject)?.sequence ?? 0,
        data: Buffer.from(JSON.stringify({ version, note: null, thing: { id: subject } })),
        version,
        firstStored,
        traceparent: undefined,
      };
      messages.push(message);
      if (lost || !connected) return;
      for (const watch of watches) if (matches(watch.subject, subject)) watch.listener.receive(message);
    },
    disconnect() {
      connected = false;
    },
    reconnect() {
      connected = true;
      for (const listener of reconnected) listener();
    },
    rebuild() {
      destroyed = messages.map((message) => ({
        ...message,
        firstStored: message.firstStored ?? { identity: `making ${String(made)}`, sequence: message.sequence },
      }));
      messages = [];
      sequence = 0;
      made += 1;
    },
    refill() {
      for (const { subject, version = 0, firstStored } of destroyed) this.publish(subject, version, { firstStored });
    },
    purge(until) {
      messages = messages.filter((message) => message.sequence > until);
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    watches: () => watches.size,
    reads: () => reads,
  };
}
