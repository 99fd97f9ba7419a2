// Runs as a child: answers the entity requests of payment and delivery from nothing, so that the router is what is measured.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { operationBatchType } from '../../service/operation-batch.ts';

interface Operation {
  readonly variables?: { readonly representations?: readonly { readonly id: string }[] };
}

const server = createServer((request, response) => {
  void (async () => {
    const asked = (await json(request)) as Operation | readonly Operation[];
    response.setHeader('content-type', request.headers['content-type'] ?? 'application/json');
    // As the real ones do, unless the benchmark is of subgraphs that do not.
    if (process.argv[2] !== 'single') response.setHeader('accept-post', `application/json, ${operationBatchType}`);
    response.end(JSON.stringify(Array.isArray(asked) ? asked.map(answer) : answer(asked as Operation)));
  })();
});

function answer({ variables }: Operation) {
  const _entities = (variables?.representations ?? []).map(({ id }) => ({
    __typename: 'Order',
    id,
    payment: { id: `p-${id}`, status: 'PAID' },
    delivery: { id: `d-${id}`, status: 'STARTED' },
  }));
  return { data: { _entities } };
}

process.on('message', () =>
  process.send?.(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`),
);
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
