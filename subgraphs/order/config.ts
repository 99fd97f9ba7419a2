// The order subgraph's configuration: the only place here that reads the environment.
import { z } from 'zod';
import { integer, readEnv, subgraphEnv } from '../../service/env.ts';

export const orderEnv = {
  ...subgraphEnv,
  ORDER_PORT: integer(0, 65_535).default(4001).describe('port to listen on'),
  ORDER_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:/, 'must begin with postgresql:')
    .describe('postgresql://user:password@host:port/database'),
  ORDER_INITIAL_STATUS: z
    .enum(['ORDERED', 'ON_HOLD'], 'must be ORDERED or ON_HOLD')
    .default('ORDERED')
    .describe('status of a new order; ON_HOLD keeps it back from payment until releaseOrder'),
  SHOP_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be three capital letters')
    .default('KRW')
    .describe('ISO 4217: the currency of every price'),
  STUCK_ORDER_AFTER_MS: integer(1_000, 86_400_000)
    .default(300_000)
    .describe('milliseconds that an order may wait for payment or delivery before it is sent again'),
};

export const readConfig = () => readEnv(orderEnv, process.env);
