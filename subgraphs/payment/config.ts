// The payment subgraph's configuration: the only place here that reads the environment.
import { z } from 'zod';
import { integer, readEnv, subgraphEnv } from '../../service/env.ts';

export const paymentEnv = {
  ...subgraphEnv,
  PAYMENT_PORT: integer(0, 65_535).default(4002).describe('port to listen on'),
  PAYMENT_DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?|mariadb|mysql):/, 'must begin with postgresql: or mariadb:')
    .describe('postgresql://user:password@host:port/database, or mariadb://… for MariaDB'),
  SANDBOX_SLOW_MS: integer(0, 60_000)
    .default(2_000)
    .describe('milliseconds that the sandbox processor takes for tok_slow'),
};

export const readConfig = () => readEnv(paymentEnv, process.env);
