// Runs as a child: answers the entity requests of payment and delivery from nothing, so that the router is what is measured.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

const server = createServer((request, response) => {
  void (async () => {
    const { variables } = (await json(request)) as { variables?: { representations?: readonly { id: string }[] } };
    const _entities = (variables?.representations ?? []).map(({ id }) => ({
      __typename: 'Order',
      id,
      payment: { id: `p-${id}`, status: 'PAID' },
      delivery: { id: `d-${id}`, status: 'STARTED' },
    }));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ data: { _entities } }));
  })();
});

process.on('message', () =>
  process.send?.(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/graphql`),
);
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
