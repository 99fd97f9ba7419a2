// Where the parts of the stack are, and what each process is told of the others.
import { join } from 'node:path';
import { cacheFolder } from './folders.ts';
import type { Issuer } from './issuer.ts';
import { holdFreePort, holdPorts } from './ports.ts';

export const subgraphNames = ['order', 'payment', 'delivery'] as const;
export const processNames = ['router', ...subgraphNames] as const;
export type SubgraphName = (typeof subgraphNames)[number];
export type ProcessName = (typeof processNames)[number];
/** Environment variables. An empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

const defaultPorts = {
  router: 4000,
  order: 4001,
  payment: 4002,
  delivery: 4003,
  nats: 4222,
  postgres: 15_432,
} as const;
export type PortOwner = keyof typeof defaultPorts;

const systemVariables = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NATS_SERVER', 'NODE_EXTRA_CA_CERTS'];

/** What programs need to run at all. */
export const systemEnvironment = (): Environment =>
  Object.fromEntries(systemVariables.map((name) => [name, process.env[name]] as const));

export const databaseVariable = (name: SubgraphName): string => `${name.toUpperCase()}_DATABASE_URL`;

/** The environment of a process. */
export function processEnvironment(
  name: ProcessName,
  known: {
    readonly inherited: Environment;
    readonly host: string;
    readonly port: number;
    readonly ports: Readonly<Record<PortOwner, number>>;
    readonly natsUrl: string;
    readonly databaseUrls: Readonly<Record<SubgraphName, string>>;
    readonly issuer: Issuer;
    readonly cursorSecret: string;
    readonly overrides: Environment;
  },
): Environment {
  const { inherited, ports, issuer } = known;
  const subgraphUrls = subgraphNames.map(
    (one) => [`SUBGRAPH_URL_${one.toUpperCase()}`, `http://${known.host}:${String(ports[one])}/graphql`] as const,
  );
  return {
    ...inherited,
    // Nobody gets another's database.
    ...Object.fromEntries(subgraphNames.map((one) => [databaseVariable(one), undefined])),
    // A quarter less to do for every start.
    NODE_COMPILE_CACHE: join(cacheFolder, 'compiled'),
    // Whoever ends this stack does not want to wait.
    DRAIN_MS: inherited['DRAIN_MS'] || '300',
    NATS_URL: known.natsUrl,
    AUTH_JWKS: issuer.jwksFile,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    [`${name.toUpperCase()}_PORT`]: String(known.port),
    ...(name === 'router'
      ? { CURSOR_SECRETS: inherited['CURSOR_SECRETS'] || known.cursorSecret, ...Object.fromEntries(subgraphUrls) }
      : { [databaseVariable(name)]: known.databaseUrls[name] }),
    ...known.overrides,
  };
}

/** An address to reach a process that listens on `host`. */
export const reachableHost = (host: string | undefined): string =>
  host === undefined || host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;

/** Holds a port for every part that is not external, until `opened` is closed. */
export async function choosePorts(
  kind: 'default' | 'free',
  inherited: Environment,
  say: (sentence: string) => void,
  opened: AsyncDisposableStack,
): Promise<Record<PortOwner, number>> {
  const owners = (Object.keys(defaultPorts) as PortOwner[]).filter((owner) => {
    if (owner === 'nats') return !inherited['NATS_URL'];
    return owner !== 'postgres' || subgraphNames.some((name) => !inherited[databaseVariable(name)]);
  });
  const wishes = owners.map((owner) => {
    const variable = `${owner.toUpperCase()}_PORT`;
    return { variable, preferred: defaultPorts[owner], given: inherited[variable] };
  });
  const held = kind === 'default' ? await holdPorts(wishes, say) : await Promise.all(owners.map(() => holdFreePort()));
  for (const { release } of held) opened.defer(release);
  const chosen = Object.fromEntries(owners.map((owner, index) => [owner, held[index]?.port ?? 0]));
  return { ...defaultPorts, ...chosen };
}
