// The delivery subgraph's configuration: the only place here that reads the environment.
import { z } from 'zod';
import { integer, readEnv, subgraphEnv } from '../../service/env.ts';

export const deliveryEnv = {
  ...subgraphEnv,
  DELIVERY_PORT: integer(0, 65_535).default(4003).describe('port to listen on'),
  DELIVERY_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:/, 'must begin with postgresql:')
    .describe('postgresql://user:password@host:port/database'),
};

export const readConfig = () => readEnv(deliveryEnv, process.env);
