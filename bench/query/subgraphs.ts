// All subgraphs of the benchmark in one process. An answer is worked out by graphql-js when it is first asked for, and the same
// bytes are given from then on: what is measured is the gateway. Tells over IPC how much was asked.
import { execute, parse } from 'graphql';
import type { DocumentNode } from 'graphql';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { subgraphSchemas } from './graph.ts';

/** What was asked since the last time. */
export interface Asked {
  readonly requests: number;
  /** How many of the answers had to be worked out. */
  readonly misses: number;
}

const schemas = subgraphSchemas();
const answers = new Map<string, Buffer>();
const documents = new Map<string, DocumentNode>();
/** The answer to traces, which may be sent here too. */
const nothing = Buffer.from('{}');
let requests = 0;
let misses = 0;

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    if (request.url === '/v1/traces') return send(response, nothing);
    requests++;
    const key = `${request.url ?? ''} ${body}`;
    const known = answers.get(key);
    if (known !== undefined) return send(response, known);
    misses++;
    void workOut(request.url ?? '', Buffer.from(body, 'latin1').toString()).then((answer) => {
      answers.set(key, answer);
      send(response, answer);
    });
  });
});

function send(response: ServerResponse, answer: Buffer): void {
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(answer.length)]);
  response.end(answer);
}

async function workOut(path: string, body: string): Promise<Buffer> {
  const { query, variables, operationName } = JSON.parse(body) as {
    query: string;
    variables?: Record<string, unknown>;
    operationName?: string;
  };
  const schema = schemas.get(path);
  if (schema === undefined) throw new Error(`There is no subgraph at ${path}.`);
  const document = documents.get(query) ?? parse(query);
  documents.set(query, document);
  const result = await execute({
    schema,
    document,
    variableValues: variables ?? {},
    operationName: operationName ?? null,
  });
  return Buffer.from(JSON.stringify(result));
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => {
  process.send?.({ requests, misses } satisfies Asked);
  requests = 0;
  misses = 0;
});
process.on('disconnect', () => process.exit());
