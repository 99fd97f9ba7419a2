// The server's side of graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md) for one message at a
// time. graphql-ws reads and validates messages; the state is kept here, as its own server keeps 2 KB more for each subscription.
import { CloseCode, MessageType, parseMessage } from 'graphql-ws';
import type { Message, SubscribeMessage } from 'graphql-ws';
import { CodedError, codeOf } from '../../service/errors.ts';
import { startOperation } from './live-operation.ts';
import type { LiveDeps } from './live-operation.ts';
import type { WebSocketConnection } from './websocket-connection.ts';
import { WebSocketSink } from './websocket-sink.ts';

/** Acts on one message of a client. Rejects only for what is a fault of ours. */
export async function handleMessage(connection: WebSocketConnection, text: string, deps: LiveDeps): Promise<void> {
  let message: Message;
  try {
    message = parseMessage(text);
  } catch {
    connection.close(CloseCode.BadRequest, 'Invalid message received');
    return;
  }
  switch (message.type) {
    case MessageType.ConnectionInit:
      return initialise(connection, message.payload ?? undefined, deps);
    case MessageType.Ping:
      return answerPing(connection, message.payload ?? undefined, deps);
    case MessageType.Pong:
      return;
    case MessageType.Subscribe:
      return start(connection, message, deps);
    case MessageType.Complete:
      connection.remove(message.id);
      return;
    default:
      connection.close(CloseCode.BadRequest, 'Invalid message received');
  }
}

type Params = Readonly<Record<string, unknown>> | undefined;

async function initialise(connection: WebSocketConnection, params: Params, deps: LiveDeps): Promise<void> {
  if (!connection.startInitialisation()) {
    connection.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
    return;
  }
  try {
    connection.initialised(await deps.identity.verify(authorizationOf(params)));
    connection.send({ type: MessageType.ConnectionAck });
  } catch (error) {
    refuseIdentity(connection, error);
  }
}

/** A ping may bring a new token of the same viewer: the connection then lives as long as that. */
async function answerPing(connection: WebSocketConnection, payload: Params, deps: LiveDeps): Promise<void> {
  try {
    const authorization = authorizationOf(payload);
    if (authorization === undefined) {
      connection.send({ type: MessageType.Pong, ...(payload === undefined ? {} : { payload }) });
      return;
    }
    const viewer = await deps.identity.verify(authorization);
    if (viewer === undefined || viewer.sub !== connection.viewer?.sub) throw new CodedError('UNAUTHENTICATED');
    connection.refresh(viewer);
    connection.send({ type: MessageType.Pong, payload: { expiresAt: new Date(viewer.expiresAt).toISOString() } });
  } catch (error) {
    refuseIdentity(connection, error);
  }
}

function refuseIdentity(connection: WebSocketConnection, error: unknown): void {
  const code = codeOf(error);
  connection.close(code === 'UNAUTHENTICATED' || code === 'CONNECTION_LIMIT' ? code : 'SERVICE_UNAVAILABLE');
}

async function start(
  connection: WebSocketConnection,
  { id, payload }: SubscribeMessage,
  deps: LiveDeps,
): Promise<void> {
  if (!connection.isReady) {
    connection.close(CloseCode.Unauthorized, 'Unauthorized');
    return;
  }
  if (connection.has(id)) {
    connection.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id.slice(0, 50)} already exists`);
    return;
  }
  const sink = new WebSocketSink(connection, id);
  await startOperation(
    {
      sink,
      params() {
        connection.add(id, sink);
        deps.rates.takeFromAddress(connection.address);
        deps.rates.takeFromViewer(connection.viewer?.sub);
        const { operationName, variables } = payload;
        // What is asked by hash has a text from here on, or none at all, which is refused.
        const query = deps.persisted.resolve({ ...payload })['query'] as string;
        return { query, operationName: operationName ?? undefined, variables: variables ?? undefined };
      },
      async inRoom(run) {
        if (deps.admission.enter() !== undefined) throw new CodedError('OVERLOADED', undefined, { retryAfter: 1 });
        try {
          return await run();
        } finally {
          deps.admission.leave();
        }
      },
      answer: (result) => connection.answer(id, sink, result),
      refuse: (errors) => connection.fail(id, sink, errors),
    },
    deps,
  );
}

/** The `authorization` among the parameters of a message, in any letter case. */
function authorizationOf(params: Params): string | undefined {
  for (const [name, value] of Object.entries(params ?? {})) {
    if (name.toLowerCase() !== 'authorization') continue;
    if (typeof value !== 'string') throw new CodedError('UNAUTHENTICATED');
    return value;
  }
  return undefined;
}
