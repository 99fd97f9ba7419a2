// The router's configuration: the only place here that reads the environment. Flags of the command line stand for two variables.
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { commonEnv, ConfigurationError, integer, readEnv } from '../service/env.ts';
import { trustedProxies } from './client-address.ts';
import { forwardableNames } from './forwarded-headers.ts';
import { limitNames } from './limits.ts';
import type { Limits } from './limits.ts';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  );
/** A list of which a part may not hold: `check` throws what is wrong with it. */
const checkedList = <Checked>(check: (parts: readonly string[]) => Checked) =>
  list.transform((parts, context) => {
    try {
      return check(parts);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
const onOff = z.enum(['on', 'off'], 'must be on or off');

/** What may be set for one subgraph too, by its name behind the key: `SUBGRAPH_TIMEOUT_MS_PAYMENT`. */
const subgraphEnv = {
  SUBGRAPH_TIMEOUT_MS: integer(100, 600_000)
    .default(15_000)
    .describe('milliseconds that a subgraph may take to answer, waiting and retries included'),
  SUBGRAPH_RESPONSE_LIMIT_BYTES: integer(1_024, 268_435_456)
    .default(8_388_608)
    .describe('largest answer of a subgraph; to read and write one costs some 10 ms of CPU for each megabyte'),
  SUBGRAPH_CONNECTIONS: integer(1, 10_000)
    .default(128)
    .describe('requests to a subgraph at the same time, at most, each over a connection'),
  SUBGRAPH_SHARING: onOff
    .default('on')
    .describe('whether the same query of one viewer, when it is under way to a subgraph already, is asked once'),
  SUBGRAPH_QUEUE: integer(0, 100_000).default(512).describe('requests that wait for a connection, at most'),
  SUBGRAPH_RETRIES: integer(0, 10)
    .default(1)
    .describe('times that a query is asked again when its connection breaks or the subgraph turns it away'),
  SUBGRAPH_RETRY_PERCENT: integer(0, 100)
    .default(20)
    .describe('retries for each hundred requests to a subgraph, at most, besides two a second; 0: none at all'),
  SUBGRAPH_BREAKER_PERCENT: integer(1, 100)
    .default(50)
    .describe('share of requests failing within 10 s over which a subgraph is not asked for a while; 100: never'),
  SUBGRAPH_BREAKER_OPEN_MS: integer(100, 600_000)
    .default(2_000)
    .describe('milliseconds until a subgraph that is not asked is tried again'),
};

export const routerEnv = {
  ...commonEnv,
  ROUTER_PORT: integer(0, 65_535).default(4000).describe('port to listen on; 0 for any free one (flag --port)'),
  SUPERGRAPH_FILE: z
    .string()
    .default('schema/supergraph.graphql')
    .describe('the supergraph SDL to serve (flag --supergraph)'),
  SUPERGRAPH_POLL_MS: integer(100, 3_600_000)
    .default(10_000)
    .describe('milliseconds between two looks at the file, besides those when the system says that it has changed'),
  WARM_OPERATIONS: integer(0, 100_000)
    .default(200)
    .describe('most used operations that are planned before a new supergraph takes over'),
  OVERRIDE_LABELS: list.describe(
    'labels of progressive overrides, `@override(from:, label:)`, that hold for every request, comma-separated; of the others percent(N) holds for N in a hundred, and any other one for none: its fields stay where they were',
  ),
  AUTH_MODE: z
    .enum(['jwks', 'off'], 'must be jwks or off')
    .default('jwks')
    .describe('off: no token is looked at and no auth directive is enforced'),
  AUTH_JWKS: commonEnv.AUTH_JWKS.optional().describe(
    'the keys that tokens are checked against: URL or file path of a JWKS; required unless AUTH_MODE is off',
  ),
  CURSOR_SECRETS: list.describe(
    'keys that sign subscription cursors, newest first, comma-separated; absent: random, forgotten at exit',
  ),
  FORWARD_HEADERS: checkedList(forwardableNames).describe(
    'headers of a request, or of the upgrade to a WebSocket, that go on to subgraphs besides `authorization` and the trace, comma-separated; absent: none',
  ),
  CORS_ORIGINS: list.describe('origins of web pages elsewhere that may call, comma-separated; * for all'),
  REQUEST_BODY_LIMIT_BYTES: integer(1_024, 16_777_216).default(1_048_576).describe('largest request body'),
  REQUESTS_UNDER_WAY: integer(1, 1_000_000)
    .default(1_000)
    .describe('GraphQL requests over HTTP at the same time; more are answered 503 with Retry-After'),
  EVENT_LOOP_DELAY_MS: integer(10, 600_000)
    .default(250)
    .describe('milliseconds by which the event loop may stay late before requests are answered 503 with Retry-After'),
  REQUEST_RECEIVE_TIMEOUT_MS: integer(100, 600_000)
    .default(30_000)
    .describe('milliseconds that a client may take to send its whole request'),
  BATCH_LIMIT: integer(0, 1_000)
    .default(0)
    .describe('operations in one request, as a JSON list, at most; 0: lists are refused'),
  COMPRESSION: onOff.default('on').describe('whether answers are compressed for clients that take it'),
  AUTOMATIC_PERSISTED_QUERIES: onOff
    .default('on')
    .describe('whether clients may have operations remembered and send their hash from then on'),
  PERSISTED_QUERY_CACHE_ENTRIES: integer(1, 1_000_000)
    .default(1_000)
    .describe('operations that are remembered for clients'),
  PERSISTED_OPERATIONS: z
    .string()
    .optional()
    .describe("file with the operations that may be asked, Apollo's persisted query manifest or a map from id to text"),
  PERSISTED_OPERATIONS_MODE: z
    .enum(['enforce', 'log'], 'must be enforce or log')
    .default('enforce')
    .describe('whether operations that are not in the file are refused, or only counted and logged'),
  REQUEST_TIMEOUT_MS: integer(100, 600_000)
    .default(30_000)
    .describe('milliseconds after which a query is answered with what is there'),
  ...subgraphEnv,
  OPERATION_RESPONSE_LIMIT_BYTES: integer(1_024, 1_073_741_824)
    .default(16_777_216)
    .describe('bytes that the answers of all subgraphs to one query or mutation may have together'),
  OPERATION_CACHE_ENTRIES: integer(1, 1_000_000)
    .default(2_000)
    .describe('parsed, validated and planned documents that are remembered'),
  OPERATION_CACHE_MB: integer(1, 100_000)
    .default(128)
    .describe('megabytes that these may take, by estimate; bounds what clients with ever new operations can fill'),
  LIMIT_TOKENS: integer(1, 1_000_000)
    .default(10_000)
    .describe('tokens of a document; it may not have more lines either'),
  LIMIT_NESTING: integer(1, 1_000)
    .default(200)
    .describe('levels of brackets in a document, and of its selections through fragments'),
  LIMIT_OPERATIONS: integer(1, 10_000).default(50).describe('operations of a document, of which one is run'),
  LIMIT_DEPTH: integer(1, 1_000).default(30).describe('levels of fields inside fields'),
  LIMIT_HEIGHT: integer(1, 100_000)
    .default(1_000)
    .describe('fields of an operation, fragments counted where they are spread'),
  LIMIT_ALIASES: integer(0, 100_000).default(200).describe('aliases of an operation'),
  LIMIT_ROOT_FIELDS: integer(1, 10_000).default(50).describe('root fields of an operation'),
  LIMIT_DIRECTIVES: integer(0, 100_000).default(200).describe('directives of an operation'),
  LIMIT_DEFERS: integer(0, 100_000).default(20).describe('fragments that an operation defers'),
  LIMIT_VARIABLE_DEPTH: integer(1, 1_000)
    .default(100)
    .describe('levels of lists and objects inside a variable; LIMIT_MEASURE_ONLY does not know it'),
  LIMIT_VARIABLE_VALUES: integer(1, 10_000_000)
    .default(20_000)
    .describe('values in the variables of an operation, lists and objects included; the same'),
  LIMIT_TYPE_COST: integer(1, 1_000_000_000_000)
    .default(1_000_000)
    .describe('objects that an operation may return, by the weights of `@cost` and the sizes of `@listSize`'),
  LIMIT_FIELD_COST: integer(1, 1_000_000_000_000)
    .default(1_000_000)
    .describe('fields that an operation may have resolved, by the same'),
  LIMIT_LIST_SIZE: integer(1, 100_000).default(10).describe('values that a list without `@listSize` counts for'),
  LIMIT_MEASURE_ONLY: list
    .pipe(z.array(z.enum([...limitNames, '*'], `must be among ${limitNames.join(', ')}; * for all`)))
    .describe(
      `limits that are only counted in the metric, refusing nothing, comma-separated: ${limitNames.join(', ')}; * for all`,
    ),
  RATE_LIMIT_PER_VIEWER: integer(0, 1_000_000)
    .default(0)
    .describe('operations a second that one viewer may start in the long run; 0: as many as they like'),
  RATE_LIMIT_PER_ADDRESS: integer(0, 1_000_000)
    .default(0)
    .describe('the same for one address, anonymous or not; behind a proxy this needs TRUSTED_PROXIES'),
  RATE_LIMIT_BURST_SECONDS: integer(1, 3_600).default(10).describe('seconds of these rates that may be used at once'),
  TRUSTED_PROXIES: checkedList(trustedProxies).describe(
    'addresses and CIDR ranges whose `x-forwarded-for` is believed, comma-separated',
  ),
  LIVE_CONNECTIONS: integer(1, 1_000_000).default(50_000).describe('open sockets and streams, at most'),
  LIVE_CONNECTIONS_PER_VIEWER: integer(1, 1_000_000).default(100).describe('open sockets and streams of one viewer'),
  LIVE_SUBSCRIPTIONS_PER_CONNECTION: integer(1, 1_000_000).default(100).describe('operations open on one socket'),
  LIVE_SUBSCRIPTIONS_PER_VIEWER: integer(1, 1_000_000).default(1_000).describe('subscriptions open for one viewer'),
  LIVE_SLOW_CONSUMER_MS: integer(100, 600_000)
    .default(15_000)
    .describe('milliseconds for which a client may leave written bytes unread'),
  LIVE_REPLAY: integer(1, 100_000).default(1_000).describe('missed events that a cursor is given one by one, at most'),
  LIVE_DRAIN_MS: integer(0, 600_000)
    .default(3_000)
    .describe('milliseconds over which sockets are closed at shutdown; less than SHUTDOWN_TIMEOUT_MS'),
  INTROSPECTION: onOff.default('on').describe('whether clients may read the schema'),
  PAGES: onOff
    .default('on')
    .describe('whether browsers are given Apollo Sandbox at /graphql and the explorer at /graphiql'),
  EXAMPLES_FILE: z
    .string()
    .default('schema/examples.graphql')
    .describe('operations that the pages offer; may be missing'),
  ACCESS_LOG: z
    .enum(['errors', 'all'], 'must be errors or all')
    .default('errors')
    .describe('operations that are logged: those with an error in their answer, or all'),
  METRICS_OPERATION_NAMES: integer(0, 10_000)
    .default(200)
    .describe('operation names that are counted each by itself, at most; the others together as `other`'),
  EXPOSED_ERROR_CODES: list.describe(
    'error codes of subgraphs that pass to clients besides those of the error table, comma-separated; * for all',
  ),
};

export type RouterConfig = z.infer<z.ZodObject<typeof routerEnv>> & {
  /** Addresses of subgraphs, by the end of the `SUBGRAPH_URL_…` variable that gave them. */
  readonly subgraphUrls: Readonly<Record<string, string>>;
  /** What is set for one subgraph only, by the end of the variables' names. */
  readonly subgraphOverrides: Readonly<Record<string, Partial<SubgraphSettings>>>;
};

type SubgraphSettings = z.infer<z.ZodObject<typeof subgraphEnv>>;

const urlPrefix = 'SUBGRAPH_URL_';

/** @throws ConfigurationError naming everything that is wrong. */
export function readConfig(
  env: NodeJS.ProcessEnv = process.env,
  args: readonly string[] = process.argv.slice(2),
): RouterConfig {
  const flags = readFlags(args);
  const { subgraphUrls, badUrls } = readUrls(env);
  const { subgraphOverrides, badOverrides } = readOverrides(env);
  const needsKeys = (env['AUTH_MODE'] ?? '') !== 'off' && (env['AUTH_JWKS'] ?? '') === '';
  const noKeys = needsKeys ? [`AUTH_JWKS is not set (${routerEnv.AUTH_JWKS.description ?? ''})`] : [];
  const given = {
    ...env,
    ...(flags.supergraph === undefined ? {} : { SUPERGRAPH_FILE: flags.supergraph }),
    ...(flags.port === undefined ? {} : { ROUTER_PORT: flags.port }),
  };
  const config = readEnv(routerEnv, given, [...noKeys, ...badUrls, ...badOverrides]);
  return { ...config, subgraphUrls, subgraphOverrides };
}

/** What holds for one subgraph. */
export function subgraphSettings(config: RouterConfig, subgraph: string): SubgraphSettings {
  return { ...config, ...config.subgraphOverrides[environmentName(subgraph)] };
}

/** How a variable spells the name of a subgraph: `MY_SUBGRAPH` for `my-subgraph`. */
export const environmentName = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

function readUrls(env: NodeJS.ProcessEnv): Pick<RouterConfig, 'subgraphUrls'> & { readonly badUrls: string[] } {
  const subgraphUrls: Record<string, string> = {};
  const badUrls: string[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(urlPrefix) || value === undefined || value === '') continue;
    if (URL.canParse(value)) subgraphUrls[variable.slice(urlPrefix.length)] = value;
    else badUrls.push(`${variable} is no URL: ${value}`);
  }
  return { subgraphUrls, badUrls };
}

function readOverrides(
  env: NodeJS.ProcessEnv,
): Pick<RouterConfig, 'subgraphOverrides'> & { readonly badOverrides: string[] } {
  const subgraphOverrides: Record<string, Partial<SubgraphSettings>> = {};
  const badOverrides: string[] = [];
  for (const [key, schema] of Object.entries(subgraphEnv)) {
    for (const [variable, value] of Object.entries(env)) {
      if (!variable.startsWith(`${key}_`) || variable in subgraphEnv || value === undefined || value === '') continue;
      const parsed = schema.safeParse(value);
      const name = variable.slice(key.length + 1);
      if (parsed.success) subgraphOverrides[name] = { ...subgraphOverrides[name], [key]: parsed.data };
      else
        badOverrides.push(
          `${variable} ${parsed.error.issues[0]?.message ?? 'is not valid'} (${schema.description ?? ''})`,
        );
    }
  }
  return { subgraphOverrides, badOverrides };
}

/** The limits of operations, as configured. */
export function limitsOf(config: RouterConfig): Limits {
  const { LIMIT_MEASURE_ONLY: measured } = config;
  return {
    tokens: config.LIMIT_TOKENS,
    nesting: config.LIMIT_NESTING,
    operations: config.LIMIT_OPERATIONS,
    depth: config.LIMIT_DEPTH,
    height: config.LIMIT_HEIGHT,
    aliases: config.LIMIT_ALIASES,
    root_fields: config.LIMIT_ROOT_FIELDS,
    directives: config.LIMIT_DIRECTIVES,
    defers: config.LIMIT_DEFERS,
    type_cost: config.LIMIT_TYPE_COST,
    field_cost: config.LIMIT_FIELD_COST,
    measureOnly: new Set(measured.includes('*') ? limitNames : measured.filter((name) => name !== '*')),
  };
}

function readFlags(args: readonly string[]): {
  readonly supergraph?: string | undefined;
  readonly port?: string | undefined;
} {
  try {
    return parseArgs({ args: [...args], options: { supergraph: { type: 'string' }, port: { type: 'string' } } }).values;
  } catch (error) {
    throw new ConfigurationError(
      `${error instanceof Error ? error.message : String(error)}\nUsage: node router/main.ts [--supergraph FILE] [--port N]`,
    );
  }
}

/** Keeps @apollo/gateway, which reads this from the environment when it is constructed, from reporting to its maker. */
export function disableApolloTelemetry(): void {
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
}
