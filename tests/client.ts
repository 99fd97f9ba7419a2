// A customer's view of the stack in tests: queries over HTTP, and a live subscription with the real graphql-ws client.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Stack } from '../dev/stack.ts';
import { eventually } from '../dev/testing.ts';

export interface GraphQLAnswer<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[];
}

export interface Watch<Event> {
  /** Everything seen so far. */
  readonly seen: readonly Event[];
  /** Resolves with the first event that fits, also one of those already seen. Rejects when the subscription ends or a minute passes. */
  until(fits: (event: Event) => boolean): Promise<Event>;
  stop(): Promise<void>;
}

export interface Customer {
  ask<Data>(query: string, variables?: Record<string, unknown>): Promise<GraphQLAnswer<Data>>;
  /** `ask`, for when errors mean that the test has failed. */
  get<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>;
  /** Begins a subscription; events are the values of the one root field. */
  watch<Event>(query: string, variables?: Record<string, unknown>): Watch<Event>;
}

/** For routers of tests: one that is late because the machine is busy with other tests turns nobody away. */
export const patient = { EVENT_LOOP_DELAY_MS: '600000' };

/**
 * Resolves when so many subscriptions are open at the router: what is published from then on reaches them. For those that begin
 * without an event, and where none of before may be taken for one of now.
 */
export async function subscriptionsOpen(stack: Stack, count: number): Promise<void> {
  await eventually(async () => {
    const page = await (await fetch(`${stack.processes.router.url}/metrics`)).text();
    return Number(/^live_subscriptions(?:\{.*\})? (\d+)$/m.exec(page)?.[1]) === count;
  });
}

/** Someone with a token of the stack's issuer. */
export async function signIn(stack: Stack, sub: string, scope = ''): Promise<Customer> {
  const authorization = `Bearer ${await stack.issuer.token({ sub, scope })}`;
  const ask = async <Data>(query: string, variables: Record<string, unknown> = {}): Promise<GraphQLAnswer<Data>> => {
    const response = await fetch(stack.graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as GraphQLAnswer<Data>;
  };
  return {
    ask,
    async get<Data>(query: string, variables?: Record<string, unknown>) {
      const { data, errors } = await ask<Data>(query, variables);
      if (errors !== undefined || data === undefined || data === null) throw new Error(JSON.stringify(errors));
      return data;
    },
    watch: (query, variables = {}) => watch(stack, authorization, query, variables),
  };
}

function watch<Event>(
  stack: Stack,
  authorization: string,
  query: string,
  variables: Record<string, unknown>,
): Watch<Event> {
  const client = createClient({
    url: stack.websocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const seen: Event[] = [];
  let ended: Error | undefined;
  let changed = (): void => undefined;
  client.subscribe<Record<string, Event>>(
    { query, variables },
    {
      next({ data, errors }) {
        const value = data === undefined || data === null ? undefined : Object.values(data)[0];
        if (errors !== undefined) ended = new Error(JSON.stringify(errors));
        else if (value !== undefined) seen.push(value);
        changed();
      },
      error(error) {
        ended = error instanceof Error ? error : new Error(JSON.stringify(error));
        changed();
      },
      complete() {
        ended ??= new Error('the subscription completed');
        changed();
      },
    },
  );
  return {
    seen,
    async until(fits) {
      const deadline = Date.now() + 60_000;
      for (;;) {
        const found = seen.find(fits);
        if (found !== undefined) return found;
        if (ended !== undefined) throw ended;
        if (Date.now() > deadline) throw new Error(`not seen in time; seen: ${JSON.stringify(seen)}`);
        await new Promise<void>((resolve) => {
          changed = resolve;
          setTimeout(resolve, 1_000).unref();
        });
      }
    },
    stop: async () => {
      await client.dispose();
    },
  };
}
