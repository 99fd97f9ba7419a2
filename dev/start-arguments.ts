// The command line of `npm start`.
import { parseArgs } from 'node:util';

export type StartArguments =
  { readonly fresh: boolean; readonly help: boolean; readonly data: string | undefined } | { readonly problem: string };

export const startUsage = `usage: npm start -- [--fresh] [--data <folder>]

  --fresh          begin with empty databases and streams; otherwise those of the last run go on
  --data <folder>  where databases, streams, keys and logs are kept; default .data

Environment
  ROUTER_PORT, ORDER_PORT, PAYMENT_PORT, DELIVERY_PORT, POSTGRES_PORT, NATS_PORT
                       ports; default 4000, 4001, 4002, 4003, 15432, 4222, or the next free one
  ORDER_DATABASE_URL, PAYMENT_DATABASE_URL, DELIVERY_DATABASE_URL, NATS_URL
                       servers to use instead of embedded ones
  NATS_SERVER          path of a nats-server, when it is not on PATH
  Whatever else the processes read (ORDER_INITIAL_STATUS, LOG_LEVEL, …) passes through to them.`;

export function readStartArguments(args: readonly string[]): StartArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        fresh: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        data: { type: 'string' },
      },
    });
    return { fresh: values.fresh, help: values.help, data: values.data };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
