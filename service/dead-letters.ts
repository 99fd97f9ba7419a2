// Reading and replaying dead letters: what `npm run dead-letters` does, as functions. Parking them is the consumer's (consumer.ts).
import type { NatsConnection } from 'nats';
import { isNotFound, toNatsHeaders } from './nats.ts';

/** A parked message. */
export interface DeadLetter {
  /** Its place in the DEAD_LETTER stream. */
  readonly seq: number;
  /** The consumer that could not handle it. */
  readonly durable: string;
  /** Where it was published first. */
  readonly subject: string;
  readonly code: string;
  readonly reason: string;
  /** When it was parked, RFC 3339. */
  readonly time: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
}

export interface DeadLetters {
  /** Oldest first. */
  list(): AsyncGenerator<DeadLetter>;
  /** Rejects when there is none with this sequence. */
  get(seq: number): Promise<DeadLetter>;
  /**
   * Publishes the message to its consumer alone and takes it out of the stream. Other consumers of the stream do not see it, and
   * one that has taken effect of it before knows it by its inbox.
   */
  replay(letter: DeadLetter): Promise<void>;
  drop(seq: number): Promise<void>;
}

const stream = 'DEAD_LETTER';

export async function openDeadLetters(connection: NatsConnection): Promise<DeadLetters> {
  const manager = await connection.jetstreamManager({ checkAPI: false });

  const find = async (seq: number): Promise<DeadLetter | undefined> => {
    if (seq < 1) return undefined; // which the broker calls a bad request
    try {
      const message = await manager.streams.getMessage(stream, { seq });
      const headers = Object.fromEntries([...message.header].map(([name, values]) => [name, values.join(', ')]));
      return {
        seq,
        durable: headers['dead-letter-durable'] ?? '',
        subject: headers['dead-letter-subject'] ?? '',
        code: headers['dead-letter-code'] ?? '',
        reason: headers['dead-letter-reason'] ?? '',
        time: headers['dead-letter-time'] ?? '',
        headers,
        payload: message.string(),
      };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  const get = async (seq: number): Promise<DeadLetter> => {
    const letter = await find(seq);
    if (letter === undefined) throw new Error(`There is no dead letter ${String(seq)}.`);
    return letter;
  };
  const drop = async (seq: number): Promise<void> => {
    await get(seq);
    await manager.streams.deleteMessage(stream, seq);
  };

  return {
    get,
    drop,
    async *list() {
      const info = await manager.streams.info(stream, { deleted_details: true }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (info === undefined) return;
      const deleted = new Set(info.state.deleted as number[] | undefined);
      // A stream that has never held a message says 0 for both; one dropped since it was asked is no longer there.
      for (let seq = info.state.first_seq; seq <= info.state.last_seq; seq += 1) {
        const letter = deleted.has(seq) ? undefined : await find(seq);
        if (letter !== undefined) yield letter;
      }
    },
    async replay(letter) {
      const original = Object.entries(letter.headers).filter(([name]) => !name.startsWith('dead-letter-'));
      await connection.jetstream().publish(letter.subject, letter.payload, {
        headers: toNatsHeaders({ ...Object.fromEntries(original), 'replay-for': letter.durable }),
        msgID: `replay-${String(letter.seq)}-${letter.time}`,
      });
      await manager.streams.deleteMessage(stream, letter.seq);
    },
  };
}
