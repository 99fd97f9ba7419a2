// One supergraph as the router uses it: an immutable snapshot, which an operation keeps from its start to its end.
import { Supergraph as FederationSupergraph, type Schema as FederationSchema } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { createHash } from 'node:crypto';

/** Where the events of one subscription field come from. */
export interface EventField {
  readonly name: string;
  readonly stream: string;
  /** Template of the subject. */
  readonly subject: string;
  readonly present: boolean;
}

/** Everything known of one supergraph. */
export interface Supergraph {
  /** Hash of the SDL. */
  readonly id: string;
  readonly sdl: string;
  readonly plannerSdl: string;
  /** What clients see. */
  readonly schema: GraphQLSchema;
  readonly planner: QueryPlanner;
  /** What clients see, in the planner's own terms. */
  readonly apiSchema: FederationSchema;
  readonly subgraphs: ReadonlyMap<string, { readonly url: string }>;
  /** By name of the Subscription field. */
  readonly eventFields: ReadonlyMap<string, EventField>;
}

/**
 * Reads a supergraph SDL.
 * @param urlOverrides addresses by subgraph name, instead of those in the SDL.
 * @throws Error saying what is wrong.
 */
export function loadSupergraph(sdl: string, urlOverrides: Readonly<Record<string, string>> = {}): Supergraph {
  const supergraph = FederationSupergraph.build(sdl, { supportedFeatures: null });
  const apiSchema = supergraph.apiSchema();
  const subgraphs = supergraph.subgraphsMetadata();
  return {
    id: createHash('sha256').update(sdl).digest('hex'),
    sdl,
    plannerSdl: sdl,
    schema: apiSchema.toGraphQLJSSchema(),
    planner: new QueryPlanner(supergraph),
    apiSchema,
    subgraphs: new Map(subgraphs.map(({ name, url }) => [name, { url: urlOverrides[name] ?? url }])),
    eventFields: new Map(),
  };
}
