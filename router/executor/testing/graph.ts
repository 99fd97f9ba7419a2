// A supergraph whose subgraphs run inside the test: composed, planned and executed as in the router, without the network.
import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, parse, validate } from 'graphql';
import type { DocumentNode, ExecutionResult, GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import { composeSupergraph } from '../../../schema/compose.ts';
import { loadSupergraph, type Supergraph } from '../../supergraph.ts';
import { executeEvent, executeOperation } from '../execute.ts';
import type { SubgraphFetch, SubgraphRequest, SubgraphResponse } from '../execute.ts';
import { compileOperation, type CompiledOperation } from '../operation.ts';

/** Resolvers by type and field, as @apollo/subgraph takes them. */
export type Resolvers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** One subgraph: its SDL without the federation link, and its resolvers. */
export interface TestSubgraph {
  readonly name: string;
  readonly sdl: string;
  readonly resolvers?: Resolvers;
  readonly fieldResolver?: GraphQLFieldResolver<unknown, unknown, Readonly<Record<string, unknown>>>;
}

/** A supergraph under test. */
export interface TestGraph {
  readonly supergraph: Supergraph;
  readonly schemas: ReadonlyMap<string, GraphQLSchema>;
  /** What was asked of the subgraphs since the last `run`. */
  readonly requests: SubgraphRequest[];
  readonly fetch: SubgraphFetch<unknown>;
  readonly compile: (query: string, operationName?: string) => CompiledOperation;
  /** Executes a query or a mutation once. */
  readonly run: (query: string, variables?: Readonly<Record<string, unknown>>) => Promise<ExecutionResult>;
  /** Completes an event. */
  readonly runEvent: (
    query: string,
    event: Readonly<Record<string, unknown>>,
    variables?: Readonly<Record<string, unknown>>,
  ) => Promise<ExecutionResult>;
}

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external",
  "@provides", "@shareable", "@override", "@inaccessible", "@interfaceObject", "@context", "@fromContext", "@tag"])\n`;

/** Composes subgraphs and answers for them. `activeLabels`: as of `loadSupergraph`. */
export function makeGraph(subgraphs: readonly TestSubgraph[], activeLabels: readonly string[] = []): TestGraph {
  const { supergraphSdl } = composeSupergraph(
    subgraphs.map(({ name, sdl }) => ({ name, url: `http://${name}.test`, sdl: link + sdl })),
  );
  const supergraph = loadSupergraph(supergraphSdl, {}, activeLabels);
  const schemas = new Map(
    subgraphs.map(({ name, sdl, resolvers }) => [
      name,
      buildSubgraphSchema([{ typeDefs: parse(link + sdl), ...(resolvers ? { resolvers: resolvers as never } : {}) }]),
    ]),
  );
  const fieldResolvers = new Map(subgraphs.map(({ name, fieldResolver }) => [name, fieldResolver]));
  const documents = new Map<string, DocumentNode>();
  const requests: SubgraphRequest[] = [];

  const fetch: SubgraphFetch<unknown> = async (request) => {
    requests.push(request);
    const schema = schemas.get(request.subgraph);
    if (!schema) throw new Error(`There is no subgraph "${request.subgraph}".`);
    const key = `${request.subgraph} ${request.query}`;
    let document = documents.get(key);
    if (!document) {
      document = parse(request.query);
      const [invalid] = validate(schema, document);
      if (invalid) throw new Error(`"${request.subgraph}" was asked something invalid: ${invalid.message}`);
      documents.set(key, document);
    }
    const result = await execute({
      schema,
      document,
      variableValues: JSON.parse(JSON.stringify(request.variables)) as Record<string, unknown>,
      operationName: request.operationName ?? null,
      fieldResolver: fieldResolvers.get(request.subgraph) ?? null,
    });
    // Through JSON, as over the network.
    return JSON.parse(JSON.stringify(result)) as SubgraphResponse;
  };

  const compiled = new Map<string, CompiledOperation>();
  const compile = (query: string, operationName?: string): CompiledOperation => {
    const known = compiled.get(query);
    if (known) return known;
    const document = parse(query);
    const [invalid] = validate(supergraph.schema, document);
    if (invalid) throw invalid;
    const operation = compileOperation(supergraph, document, operationName);
    compiled.set(query, operation);
    return operation;
  };

  return {
    supergraph,
    schemas,
    requests,
    fetch,
    compile,
    run: (query, variables = {}) => {
      requests.length = 0;
      return executeOperation(compile(query), variables, fetch, undefined);
    },
    runEvent: (query, event, variables = {}) => {
      requests.length = 0;
      return executeEvent(compile(query), variables, event, fetch, undefined);
    },
  };
}
