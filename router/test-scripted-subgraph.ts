// For tests: a subgraph that answers whatever a test says, well-formed or not, on real HTTP.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** What a subgraph is asked. */
export interface SubgraphQuestion {
  readonly query: string;
  readonly variables?: { readonly representations?: readonly { readonly __typename: string; readonly id: string }[] };
}

export type Script = (response: ServerResponse, question: SubgraphQuestion, request: IncomingMessage) => void;

export interface ScriptedSubgraph {
  readonly url: string;
  /** How often it was asked since the last `play`. */
  asked(): number;
  /** Answers by this script from now on. */
  play(script: Script): void;
  stop(): Promise<void>;
}

/** Answers in GraphQL. */
export function reply(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** @param port of one that was stopped, to take its place; absent: any free one. */
export async function startScriptedSubgraph(port = 0): Promise<ScriptedSubgraph> {
  let asked = 0;
  let script: Script = (response) => reply(response, { data: {} });
  const server = createServer((request, response) => {
    asked += 1;
    const present = script;
    void json(request).then((question) => present(response, question as SubgraphQuestion, request));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`,
    asked: () => asked,
    play(next) {
      asked = 0;
      script = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
