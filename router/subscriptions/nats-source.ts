// The message streams of the engine, read from NATS: plain subscriptions on what the streams republish, and reads by sequence.
// Nothing here makes a JetStream consumer, so nothing on the broker's disk or in its API grows with the number of clients.
import type { Msg, MsgHdrs, NatsConnection, StreamInfo, Subscription } from 'nats';
import { CodedError } from '../../service/errors.ts';
import type { Logger } from '../../service/log.ts';
import { firstStoredHeader } from '../../service/nats.ts';
import type { Broker } from '../../service/nats.ts';
import type { Listener, Place, Source, StreamMessage, StreamState, Watch } from './source.ts';
import { isWildcard } from './subject-template.ts';

const requestTimeoutMs = 5_000;

interface KnownStream {
  readonly info: StreamInfo;
  readonly identity: string;
  /** Where a subject of the stream is republished; throws when it is not. */
  readonly liveSubject: (subject: string) => string;
  /** A read from a replica may be behind what was already republished; then the leader is asked. */
  readonly replicated: boolean;
}

/** Reads streams of `broker`. Close the watches; the connection stays the caller's. */
export function createNatsSource(broker: Broker, log: Logger): Source {
  const streams = new Map<string, KnownStream>();
  const identities = new Map<string, string>();
  const watches = new Map<string, SharedWatch>();
  const describeTogether = sharedQuestion<KnownStream>(askForStream);
  const flushTogether = sharedQuestion<void>(async () => inTime((await connected()).flush()));

  async function connected(): Promise<NatsConnection> {
    if (!broker.isConnected()) throw new CodedError('SERVICE_UNAVAILABLE');
    return broker.connection;
  }

  async function askForStream(stream: string): Promise<KnownStream> {
    const answer = await request(await connected(), `$JS.API.STREAM.INFO.${stream}`, '');
    const info = answer.json<StreamInfo & { error?: { description?: string } }>();
    if (info.error !== undefined) {
      log.warn({ stream, error: info.error }, 'the stream of an event field cannot be read');
      throw new CodedError('SERVICE_UNAVAILABLE');
    }
    const made = `${info.config.name} ${info.created}`;
    // The same string for the same stream: every event of every topic holds it.
    const before = identities.get(stream);
    const identity = before !== undefined && (before === made || isOlderThanMade(info)) ? before : made;
    identities.set(stream, identity);
    const known = { info, identity, liveSubject: republished(info), replicated: info.config.num_replicas > 1 };
    streams.set(stream, known);
    return known;
  }

  /** One stored message by `last_by_subj` or `next_by_subj`. */
  async function read(
    stream: string,
    query: { last_by_subj: string } | { seq: number; next_by_subj: string },
  ): Promise<StreamMessage | undefined> {
    const connection = await connected();
    const { replicated } = streams.get(stream) ?? (await describeTogether(stream));
    if (replicated) {
      const answer = await request(connection, `$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify(query));
      return readStored(answer);
    }
    const answer = await request(connection, `$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query));
    const code = answer.headers?.code ?? 0;
    if (code === 404) return undefined;
    if (code >= 300 || answer.headers === undefined) {
      throw new CodedError(
        'SERVICE_UNAVAILABLE',
        undefined,
        {},
        new Error(`direct get: ${answer.headers?.description}`),
      );
    }
    return messageOf(answer.headers, answer.data, undefined);
  }

  return {
    isConnected: () => broker.isConnected(),

    async describe(stream): Promise<StreamState> {
      const { info, identity } = await describeTogether(stream);
      return {
        identity,
        firstSequence: info.state.first_seq,
        lastSequence: info.state.last_seq,
      };
    },

    async watch(stream, subject, within, listener): Promise<Watch> {
      const connection = await connected();
      const { liveSubject } = streams.get(stream) ?? (await describeTogether(stream));
      const live = liveSubject(within);
      let shared = watches.get(live);
      if (shared === undefined) {
        shared = new SharedWatch(connection, live, () => flushTogether(''), {
          onFailure: (error) => {
            log.warn({ error, subject: live }, 'a live subscription was refused');
            watches.delete(live);
          },
          onEmpty: () => watches.delete(live),
        });
        watches.set(live, shared);
      }
      shared.add(subject, listener);
      try {
        await shared.known;
      } catch (error) {
        shared.remove(subject, listener);
        throw unavailable(error);
      }
      return shared;
    },

    last: (stream, subject) => read(stream, { last_by_subj: subject }),
    next: (stream, subject, sequence) => read(stream, { seq: Math.max(1, sequence), next_by_subj: subject }),

    onReconnect(listener) {
      let first = true;
      return broker.onConnect(() => {
        // A connection made anew may reach a broker whose streams were made anew or changed.
        streams.clear();
        if (first) first = false;
        else listener();
      });
    },
  };
}

/** One subscription at the broker, and all who get its messages. */
class SharedWatch implements Watch {
  /** Resolves once the broker knows of it. */
  readonly known: Promise<void>;
  readonly #subscription: Subscription;
  readonly #onEmpty: () => void;
  /** By subject without wildcard. */
  readonly #exact = new Map<string, readonly Listener[]>();
  /** With their subject, up to its wildcard. */
  readonly #wide = new Map<Listener, string>();

  constructor(
    connection: NatsConnection,
    live: string,
    flush: () => Promise<void>,
    { onFailure, onEmpty }: { onFailure: (error: Error) => void; onEmpty: () => void },
  ) {
    const { promise: refused, reject } = Promise.withResolvers<never>();
    refused.catch(() => undefined);
    this.#subscription = connection.subscribe(live, {
      callback: (error, message) => {
        if (error !== null) {
          reject(error);
          onFailure(error);
          return;
        }
        const received = readLive(message);
        if (received !== undefined) this.#hand(received);
      },
    });
    this.known = Promise.race([flush(), refused]);
    this.known.catch(() => undefined);
    this.#onEmpty = onEmpty;
  }

  add(subject: string, listener: Listener): void {
    const others = this.#exact.get(subject);
    if (isWildcard(subject)) this.#wide.set(listener, subject.slice(0, -1));
    else this.#exact.set(subject, others === undefined ? [listener] : [...others, listener]);
  }

  remove(subject: string, listener: Listener): void {
    this.#wide.delete(listener);
    const others = this.#exact.get(subject)?.filter((one) => one !== listener) ?? [];
    if (others.length > 0) this.#exact.set(subject, others);
    else this.#exact.delete(subject);
    if (this.#exact.size > 0 || this.#wide.size > 0 || this.#subscription.isClosed()) return;
    this.#subscription.unsubscribe();
    this.#onEmpty();
  }

  #hand(message: StreamMessage): void {
    for (const listener of this.#exact.get(message.subject) ?? []) listener.receive(message);
    for (const [listener, prefix] of this.#wide) if (message.subject.startsWith(prefix)) listener.receive(message);
  }
}

/** Asks once for all who ask while a question of the same name waits its turn; never answers with what was asked earlier. */
function sharedQuestion<Answer>(ask: (name: string) => Promise<Answer>): (name: string) => Promise<Answer> {
  const running = new Map<string, Promise<unknown>>();
  const waiting = new Map<string, Promise<Answer>>();
  return (name) => {
    const queued = waiting.get(name);
    if (queued !== undefined) return queued;
    const before = running.get(name) ?? Promise.resolve();
    const next = (async () => {
      await before.catch(() => undefined);
      waiting.delete(name);
      const current = ask(name);
      running.set(name, current);
      try {
        return await current;
      } finally {
        if (running.get(name) === current) running.delete(name);
      }
    })();
    waiting.set(name, next);
    return next;
  };
}

/** A flush that is cut off by a disconnect would otherwise wait for the next connection. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new CodedError('SERVICE_UNAVAILABLE')), requestTimeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function request(connection: NatsConnection, subject: string, payload: string): Promise<Msg> {
  try {
    return await connection.request(subject, payload, { timeout: requestTimeoutMs });
  } catch (error) {
    throw unavailable(error);
  }
}

function unavailable(error: unknown): CodedError {
  return error instanceof CodedError ? error : new CodedError('SERVICE_UNAVAILABLE', undefined, {}, error);
}

/**
 * Whether a stream holds messages from before the time at which it says that it was made: nats-server 2.9 tells another time after
 * restarts, and it was not made anew.
 */
const isOlderThanMade = ({ created, state }: StreamInfo): boolean =>
  state.messages > 0 && Date.parse(state.first_ts) < Date.parse(created);

/** The map from a stream's subject to where it is republished, as the stream's configuration says. */
function republished({ config }: StreamInfo): (subject: string) => string {
  const rule = config.republish;
  const source = rule?.src === undefined || rule.src === '' ? '>' : rule.src;
  if (rule === undefined || !source.endsWith('>') || !rule.dest.endsWith('>')) {
    throw new CodedError(
      'SERVICE_UNAVAILABLE',
      undefined,
      {},
      new Error(`The stream ${config.name} does not republish from "<prefix>.>" to "<prefix>.>".`),
    );
  }
  const from = source.slice(0, -1);
  const to = rule.dest.slice(0, -1);
  return (subject) => {
    if (!subject.startsWith(from)) {
      throw new CodedError(
        'SERVICE_UNAVAILABLE',
        undefined,
        {},
        new Error(`${config.name} does not republish ${subject}.`),
      );
    }
    return `${to}${subject.slice(from.length)}`;
  };
}

function readLive(message: Msg): StreamMessage | undefined {
  const { headers } = message;
  if (headers === undefined) return undefined;
  const previous = Number(headers.get('Nats-Last-Sequence'));
  return messageOf(headers, message.data, previous);
}

function messageOf(headers: MsgHdrs, data: Uint8Array, previous: number | undefined): StreamMessage | undefined {
  const sequence = Number(headers.get('Nats-Sequence'));
  if (!Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  const envelope = readEnvelope((name) => headers.get(name));
  return { subject: headers.get('Nats-Subject'), sequence, previous, data, ...envelope };
}

/** A message as the stream's leader answers it: JSON with the headers and the payload in base64. */
function readStored(answer: Msg): StreamMessage | undefined {
  const { message, error } = answer.json<{
    message?: { subject: string; seq: number; hdrs?: string; data?: string };
    error?: { code: number; description?: string };
  }>();
  if (error?.code === 404) return undefined;
  if (message === undefined) {
    throw new CodedError('SERVICE_UNAVAILABLE', undefined, {}, new Error(`get message: ${error?.description}`));
  }
  const lines = Buffer.from(message.hdrs ?? '', 'base64')
    .toString('utf8')
    .split('\r\n')
    .slice(1);
  const header = (name: string): string => {
    const line = lines.find((one) => one.toLowerCase().startsWith(`${name}:`));
    return line?.slice(name.length + 1).trim() ?? '';
  };
  return {
    subject: message.subject,
    sequence: message.seq,
    previous: undefined,
    data: Buffer.from(message.data ?? '', 'base64'),
    ...readEnvelope(header),
  };
}

/** What the CloudEvents headers say, if they are there; an absent header reads as ''. */
function readEnvelope(
  header: (name: string) => string,
): Pick<StreamMessage, 'version' | 'firstStored' | 'traceparent'> {
  const version = Number.parseInt(header('ce-aggregateversion'), 10);
  const traceparent = header('traceparent');
  return {
    version: Number.isNaN(version) ? undefined : version,
    firstStored: readPlace(header(firstStoredHeader)),
    traceparent: traceparent === '' ? undefined : traceparent,
  };
}

/** The identity is made of the same two words as in `askForStream`. */
function readPlace(text: string): Place | undefined {
  const end = text.lastIndexOf(' ');
  const sequence = Number(text.slice(end + 1));
  return end > 0 && Number.isSafeInteger(sequence) ? { identity: text.slice(0, end), sequence } : undefined;
}
