// Reads configuration from environment variables through a zod shape, and reports every problem at once.
import { z } from 'zod';

/** Thrown when the environment does not fit; `message` lists each variable, its problem and its meaning. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/**
 * Parses the variables that `shape` names. An empty value counts as absent, as ConfigMaps and Compose files give it.
 * @param others lines about what else is wrong, to be reported along.
 * @throws ConfigurationError with one line for each variable at fault.
 */
export function readEnv<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Readonly<Record<string, string | undefined>>,
  others: readonly string[] = [],
): z.infer<z.ZodObject<Shape>> {
  const given = Object.fromEntries(Object.keys(shape).map((key) => [key, env[key] === '' ? undefined : env[key]]));
  const parsed = z.object(shape).safeParse(given);
  if (parsed.success && others.length === 0) return parsed.data;
  const issues = parsed.error?.issues ?? [];
  const lines = issues.map((issue) => {
    const key = String(issue.path[0]);
    const meaning = (shape[key] as z.ZodType | undefined)?.description;
    const value = given[key] === undefined ? 'is not set' : issue.message;
    return `${key} ${value}${meaning === undefined ? '' : ` (${meaning})`}`;
  });
  throw new ConfigurationError(`The configuration has problems:\n  ${[...lines, ...others].join('\n  ')}`);
}

/** A whole number in a range, given as text. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, `must be a whole number ${String(min)}..${String(max)}`)
    .transform(Number)
    .pipe(
      z
        .number()
        .min(min, `must be at least ${String(min)}`)
        .max(max, `must be at most ${String(max)}`),
    );

/** What every process reads. */
export const commonEnv = {
  HOST: z.string().default('127.0.0.1').describe('address to listen on; 0.0.0.0 for all'),
  NATS_URL: z.string().default('nats://localhost:4222').describe('NATS servers, comma-separated'),
  AUTH_JWKS: z.string().describe('the keys that tokens are checked against: URL or file path of a JWKS'),
  AUTH_ISSUER: z.string().default('baedal-development').describe('the `iss` that tokens must carry'),
  AUTH_AUDIENCE: z.string().default('baedal').describe('the `aud` that tokens must carry'),
  AUTH_JWKS_REFRESH_SECONDS: integer(1, 86_400)
    .default(60)
    .describe('seconds after which a key that was taken out of the JWKS is accepted no more'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('the least severe level that is logged'),
  SHUTDOWN_TIMEOUT_MS: integer(0, 600_000)
    .default(10_000)
    .describe('milliseconds that a shutdown may take before the process exits anyway'),
  DRAIN_MS: integer(0, 600_000)
    .default(5_000)
    .describe(
      'milliseconds at shutdown for which clients may still use connections that they keep; less than SHUTDOWN_TIMEOUT_MS',
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional().describe('where traces go by OTLP over HTTP; absent: nowhere'),
};

/** What every subgraph process reads besides. */
export const subgraphEnv = {
  ...commonEnv,
  DATABASE_POOL_SIZE: integer(1, 200)
    .default(5)
    .describe('database connections that requests have to themselves, at most'),
  DATABASE_BACKGROUND_POOL_SIZE: integer(1, 200)
    .default(5)
    .describe('database connections of consumers, relay and drivers together, at most'),
  STREAM_REPLICAS: integer(1, 5).default(1).describe('copies of each stream in a NATS cluster'),
  STREAM_MAX_AGE_HOURS: integer(1, 8_760).default(168).describe('hours that streams keep messages'),
  CONSUMER_CONCURRENCY: integer(1, 1_000).default(32).describe('messages handled at once, for different orders'),
  REQUEST_BODY_LIMIT_BYTES: integer(1_024, 16_777_216).default(1_048_576).describe('largest request body'),
};

/** The parsed form of `commonEnv`. */
export type CommonEnv = z.infer<z.ZodObject<typeof commonEnv>>;
/** The parsed form of `subgraphEnv`. */
export type SubgraphEnv = z.infer<z.ZodObject<typeof subgraphEnv>>;

/** What tokens are checked against, as configured. */
export const identityOptions = (env: CommonEnv) => ({
  jwks: env.AUTH_JWKS,
  issuer: env.AUTH_ISSUER,
  audience: env.AUTH_AUDIENCE,
  refreshMs: env.AUTH_JWKS_REFRESH_SECONDS * 1000,
});
