// Composes the subgraph SDL files of this folder into the supergraph that the router serves. Pure: text in, text out.
import { composeServices } from '@apollo/composition';
import { printSchema, Supergraph } from '@apollo/federation-internals';
import { parse } from 'graphql';
import { readFileSync } from 'node:fs';

/** One subgraph as the composition sees it. `url` is where the router asks it unless told otherwise. */
export interface SubgraphDefinition {
  readonly name: string;
  readonly url: string;
  readonly sdl: string;
}

/** The name and default address of each subgraph. `events` has no process: the router answers it from NATS. */
export const subgraphAddresses = {
  order: 'http://localhost:4001/graphql',
  payment: 'http://localhost:4002/graphql',
  delivery: 'http://localhost:4003/graphql',
  events: 'nats://events',
} as const;

export type SubgraphName = keyof typeof subgraphAddresses;

/** The SDL of one subgraph, as committed in this folder. */
export function readSubgraphSdl(name: SubgraphName): string {
  return readFileSync(new URL(`./${name}.graphql`, import.meta.url), 'utf8');
}

/** All subgraphs of this project. */
export function readSubgraphs(): SubgraphDefinition[] {
  return (Object.keys(subgraphAddresses) as SubgraphName[]).map((name) => ({
    name,
    url: subgraphAddresses[name],
    sdl: readSubgraphSdl(name),
  }));
}

/**
 * Composes subgraphs into a supergraph.
 * @returns the supergraph SDL (what the router loads) and the API SDL (what clients see).
 * @throws Error naming every composition error with its code, one per line.
 */
export function composeSupergraph(subgraphs: readonly SubgraphDefinition[]): { supergraphSdl: string; apiSdl: string } {
  const { supergraphSdl, errors } = composeServices(
    subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })),
  );
  if (supergraphSdl === undefined) {
    const lines = errors.map(
      ({ extensions, message }) =>
        `  ${typeof extensions['code'] === 'string' ? extensions['code'] : 'ERROR'}: ${message}`,
    );
    throw new Error(`The subgraphs do not compose:\n${lines.join('\n')}`);
  }
  return { supergraphSdl, apiSdl: publicApiOf(supergraphSdl) };
}

/** The schema that clients see of a supergraph, as SDL. */
export function publicApiOf(supergraphSdl: string): string {
  return `${printSchema(Supergraph.build(supergraphSdl, { supportedFeatures: null }).apiSchema())}\n`;
}
