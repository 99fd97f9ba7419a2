// For tests: the real clients of all protocols behind one interface.
import type { ApolloLink } from '@apollo/client';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export interface ClientResult {
  readonly data?: Record<string, Record<string, unknown>> | null;
  readonly extensions?: Record<string, unknown> | undefined;
}

/** One subscription of a real client. */
export interface ClientSubscription {
  /** The next result. Rejects with `{ code }`, the typed code of the error or close that ended the subscription. */
  next(): Promise<ClientResult>;
  stop(): void;
}

export interface TestClient {
  readonly name: string;
  subscribe(query: string, variables?: Record<string, unknown>): ClientSubscription;
}

/** Makes a client of `url` (`http://…/graphql`) that shows `token`. */
export type CreateTestClient = (url: string, token: string) => TestClient;

const webSocketUrl = (url: string): string => url.replace('http', 'ws');

export const clients: Readonly<Record<string, CreateTestClient>> = {
  'graphql-ws': (url, token) => {
    const client = createWsClient({
      url: webSocketUrl(url),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: token },
    });
    return {
      name: 'graphql-ws',
      subscribe: (query, variables = {}) => queue((sink) => client.subscribe({ query, variables }, sink)),
    };
  },

  'graphql-sse': (url, token) => {
    const client = createSseClient({ url, headers: { authorization: token }, retryAttempts: 0 });
    return {
      name: 'graphql-sse',
      subscribe: (query, variables = {}) => queue((sink) => client.subscribe({ query, variables }, sink)),
    };
  },

  'Apollo Client over HttpLink (multipart)': (url, token) =>
    apollo('multipart', new HttpLink({ uri: url, headers: { authorization: token } })),

  'Apollo Client over GraphQLWsLink': (url, token) =>
    apollo(
      'apollo-ws',
      new GraphQLWsLink(
        createWsClient({
          url: webSocketUrl(url),
          webSocketImpl: WebSocket,
          retryAttempts: 0,
          connectionParams: { authorization: token },
        }),
      ),
    ),
};

interface Sink {
  next(result: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

function apollo(name: string, link: ApolloLink): TestClient {
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return {
    name,
    subscribe: (query, variables = {}) =>
      queue((sink) => {
        const subscription = client
          .subscribe({ query: gql(query), variables, fetchPolicy: 'no-cache', errorPolicy: 'all' })
          .subscribe({
            next: (result) => (result.error === undefined ? sink.next(result) : sink.error(result.error)),
            error: (error) => sink.error(error),
            complete: () => sink.complete(),
          });
        return () => subscription.unsubscribe();
      }),
  };
}

/** Keeps what comes until somebody asks for it. */
function queue(subscribe: (sink: Sink) => () => void): ClientSubscription {
  const waiting: ((outcome: Promise<ClientResult>) => void)[] = [];
  const outcomes: Promise<ClientResult>[] = [];
  let ended = false;
  const push = (outcome: Promise<ClientResult>): void => {
    outcome.catch(() => undefined);
    const next = waiting.shift();
    if (next === undefined) outcomes.push(outcome);
    else next(outcome);
  };
  const end = (code: string): void => {
    if (ended) return;
    ended = true;
    push(Promise.reject(Object.assign(new Error(code), { code })));
  };
  const stop = subscribe({
    next(result) {
      const { errors } = result as { errors?: readonly unknown[] };
      if (errors === undefined || errors.length === 0) push(Promise.resolve(result as ClientResult));
      else end(codeIn(errors));
    },
    error: (error) => end(codeIn(error)),
    complete: () => end('COMPLETE'),
  });
  return {
    next: () => outcomes.shift() ?? new Promise((resolve) => waiting.push(resolve)),
    stop,
  };
}

/** The typed code of an error, however a client wraps it. */
function codeIn(error: unknown): string {
  if (Array.isArray(error)) return codeIn(error[0]);
  const { errors, extensions, reason, message } = (error ?? {}) as {
    errors?: readonly unknown[];
    extensions?: { code?: string };
    reason?: string;
    message?: string;
  };
  if (errors !== undefined) return codeIn(errors);
  return extensions?.code ?? reason ?? /[A-Z_]{8,}/.exec(message ?? '')?.[0] ?? String(error);
}
