// The connection to NATS: made in the background and remade for ever, so that a process starts and serves without a broker.
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { AckPolicy, connect, DiscardPolicy, Events, headers as natsHeaders, RetentionPolicy, StorageType } from 'nats';
import type { ConnectionOptions, JetStreamManager, MsgHdrs, NatsConnection, StreamInfo } from 'nats';
import { z } from 'zod';
import { commands, streams } from '../schema/events.ts';
import type { CommandName, CommandReply, CommandRequest, StreamName } from '../schema/events.ts';
import { codeOf, CodedError } from './errors.ts';
import type { Logger } from './log.ts';
import { currentTraceparent, inSpan, SpanKind } from './telemetry.ts';

/** A broker connection that may not be there yet, or not now. */
export interface Broker {
  /** Resolves at the first connection, which then reconnects by itself for ever; never, when it is closed before. Never rejects. */
  readonly connection: Promise<NatsConnection>;
  isConnected(): boolean;
  /** Calls `listener` on each connection, the first one included; returns how to stop. */
  onConnect(listener: (connection: NatsConnection) => void): () => void;
  /** Calls `listener` on each loss of the connection; returns how to stop. What was sent and not answered may be lost. */
  onDisconnect(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Milliseconds between two attempts to connect, and as many more by chance. */
const reconnectMs = 250;

/**
 * Connects in the background. An address that is none throws at once.
 * @param options.servers comma-separated; user and password may stand in the first that has any: `nats://user:password@host:4222`.
 * @param options.name shows in the broker's monitoring, and replies come below `_INBOX.<name>`, which nobody else needs to read.
 */
export function connectBroker(options: {
  readonly servers: string;
  readonly name: string;
  readonly log: Logger;
}): Broker {
  const { log } = options;
  const servers = readServers(options.servers);
  const listeners = new Set<(connection: NatsConnection) => void>();
  const lossListeners = new Set<() => void>();
  let current: NatsConnection | undefined;
  let connected = false;
  const closing = new AbortController();
  const isClosing = (): boolean => closing.signal.aborted;
  const announce = (connection: NatsConnection): void => {
    connected = true;
    for (const listener of listeners) listener(connection);
  };

  const settings: ConnectionOptions = {
    ...servers,
    name: options.name,
    inboxPrefix: `_INBOX.${options.name}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    reconnectJitter: reconnectMs,
    // A silently dead peer is noticed within two pings.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
  };

  /** The client's own waiting for the first connection cannot be ended, so it is done here. */
  const connectAtLast = async (): Promise<NatsConnection> => {
    while (!isClosing()) {
      try {
        const established = await connect(settings);
        if (!isClosing()) return established;
        await established.close();
      } catch (error) {
        log.debug({ error }, 'no broker yet');
        const wait = reconnectMs * (1 + Math.random());
        await pause(wait, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
    return new Promise(() => undefined);
  };

  const connection = (async (): Promise<NatsConnection> => {
    const established = await connectAtLast();
    current = established;
    void (async () => {
      for await (const status of established.status()) {
        if (status.type === Events.Disconnect) {
          connected = false;
          log.warn('broker disconnected');
          for (const listener of lossListeners) listener();
        } else if (status.type === Events.Reconnect) {
          log.info('broker reconnected');
          announce(established);
        } else if (status.type === Events.Error) {
          log.warn({ broker: status.data }, 'broker error');
        }
      }
    })();
    log.info({ server: established.getServer() }, 'broker connected');
    announce(established);
    return established;
  })();

  return {
    connection,
    isConnected: () => connected && current?.isClosed() === false,
    onConnect(listener) {
      listeners.add(listener);
      if (connected && current !== undefined) listener(current);
      return () => listeners.delete(listener);
    },
    onDisconnect(listener) {
      lossListeners.add(listener);
      return () => lossListeners.delete(listener);
    },
    async close() {
      closing.abort();
      connected = false;
      await current?.close();
    },
  };
}

/** The client takes credentials beside the addresses, not inside them. */
function readServers(text: string): { servers: string[]; user?: string; pass?: string } {
  const urls = text.split(',').map((server) => new URL(server.includes('://') ? server : `nats://${server}`));
  const credentials = urls.find(({ username }) => username !== '');
  return {
    servers: urls.map(({ host }) => host),
    ...(credentials === undefined
      ? {}
      : { user: decodeURIComponent(credentials.username), pass: decodeURIComponent(credentials.password) }),
  };
}

/** How streams are made. */
export interface StreamSettings {
  readonly replicas: number;
  readonly maxAgeHours: number;
}

/**
 * Creates the stream, or changes it to what the table and the settings say. Idempotent, also when two processes do it at once.
 * A stream that is as it should be is left alone: nats-server 2.9 gives one that was changed after a restart another age at the next
 * restart, and the age is how a stream made anew is known.
 */
export async function ensureStream(
  manager: JetStreamManager,
  name: StreamName,
  settings: StreamSettings,
): Promise<StreamInfo> {
  const { subjects, republish } = streams[name];
  const config = {
    subjects: [...subjects],
    max_age: settings.maxAgeHours * 3_600_000_000_000,
    num_replicas: settings.replicas,
    allow_direct: true,
    ...(republish === undefined ? {} : { republish: { ...republish } }),
  };
  try {
    const info = await manager.streams.info(name);
    const isAsWanted = Object.entries(config).every(([key, wanted]) =>
      isDeepStrictEqual(wanted, info.config[key as keyof typeof config]),
    );
    return isAsWanted ? info : await manager.streams.update(name, config);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return manager.streams.add({
      ...config,
      name,
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      // Only an optimisation: a repeated publish inside the window is not stored twice. The inbox decides.
      duplicate_window: 120_000_000_000,
    });
  }
}

/** Creates the durable consumer of `stream`, or leaves an equal one. `filter` absent means every subject. */
export async function ensureConsumer(
  manager: JetStreamManager,
  stream: StreamName,
  durable: string,
  settings: { readonly filter: string | undefined; readonly ackWaitMs: number; readonly maxAckPending: number },
): Promise<void> {
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    ack_wait: settings.ackWaitMs * 1_000_000,
    // Poison is parked by us, with its reason; the broker never gives up by itself.
    max_deliver: -1,
    max_ack_pending: settings.maxAckPending,
    ...(settings.filter === undefined ? {} : { filter_subject: settings.filter }),
  });
}

/** Whether the broker says that a stream, consumer or message does not exist. */
export function isNotFound(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'api_error' in error &&
    (error.api_error as { code?: number } | undefined)?.code === 404
  );
}

/**
 * The header of a message that is published again because its stream was lost: where it was stored at first, as
 * `<stream> <when that was made> <sequence>`. Who has read the lost stream up to there has seen it.
 */
export const firstStoredHeader = 'first-stored';

/** NATS headers of a plain record. */
export function toNatsHeaders(record: Readonly<Record<string, string>>): MsgHdrs {
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(record)) headers.set(name, value);
  return headers;
}

/**
 * Sends a command and waits for its answer.
 * @throws CodedError SERVICE_UNAVAILABLE or TIMEOUT when no answer came: the outcome is then unknown, so ask again.
 */
export async function requestCommand<Name extends CommandName>(
  broker: Broker,
  name: Name,
  request: CommandRequest<Name>,
  timeoutMs: number,
): Promise<CommandReply<Name>> {
  if (!broker.isConnected()) throw new CodedError('SERVICE_UNAVAILABLE');
  return inSpan(`${name} send`, { kind: SpanKind.CLIENT }, async () => {
    const connection = await broker.connection;
    const traceparent = currentTraceparent();
    let answer;
    try {
      answer = await connection.request(name, JSON.stringify(request), {
        timeout: timeoutMs,
        headers: toNatsHeaders(traceparent === undefined ? {} : { traceparent }),
      });
    } catch (error) {
      throw new CodedError(
        codeOf(error) === 'SERVICE_UNAVAILABLE' ? 'TIMEOUT' : 'SERVICE_UNAVAILABLE',
        undefined,
        {},
        error,
      );
    }
    const failure = answer.headers?.get('Nats-Service-Error');
    if (failure !== undefined && failure !== '') {
      throw new CodedError('SERVICE_UNAVAILABLE', undefined, {}, new Error(`${name}: ${failure}`));
    }
    return commands[name].reply.parse(answer.json()) as CommandReply<Name>;
  });
}

/**
 * Serves a command as a NATS service: instances share the load, and `nats micro` lists them. Returns how to stop.
 * A request that does not fit is answered with MESSAGE_INVALID; a handler that throws, with the code of its error.
 */
export function serveCommand<Name extends CommandName>(
  broker: Broker,
  name: Name,
  log: Logger,
  handle: (request: CommandRequest<Name>) => Promise<CommandReply<Name>>,
): () => Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  void broker.connection.then(async (connection) => {
    const service = await connection.services.add({ name: name.replace('.', '-'), version: '1.0.0' });
    stops.push(() => service.stop());
    const endpoint = service.addEndpoint(name.replace('.', '-'), { subject: name });
    for await (const message of endpoint) {
      void inSpan(
        `${name} serve`,
        { kind: SpanKind.SERVER, traceparent: message.headers?.get('traceparent') || undefined },
        async () => {
          try {
            const request = readRequest(name, message.string());
            message.respond(JSON.stringify(await handle(request)));
          } catch (error) {
            const code = codeOf(error);
            log.warn({ error, command: name, code }, 'command failed');
            message.respondError(code === 'MESSAGE_INVALID' ? 400 : 500, code);
          }
        },
      ).catch((error: unknown) => log.error({ error, command: name }, 'command could not be answered'));
    }
  });
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

function readRequest<Name extends CommandName>(name: Name, text: string): CommandRequest<Name> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CodedError('MESSAGE_INVALID', 'The request is not JSON.', {}, error);
  }
  const request = commands[name].request.safeParse(json);
  if (!request.success) throw new CodedError('MESSAGE_INVALID', z.prettifyError(request.error));
  return request.data as CommandRequest<Name>;
}
