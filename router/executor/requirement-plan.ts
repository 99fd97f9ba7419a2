// Plans operations in which requirements lead to one another, or differ in arguments. Of such a chain the planner (2.14.4) forgets
// links, or fails on it; and it takes a field for the same whatever its arguments. So it is given a supergraph in which nothing is
// required, and a document that asks for all that is; then what requires something is moved out of the fetches that it planned,
// into fetches of its own that are sent it, and all are put in order.
import { operationFromDocument, Supergraph as FederationSupergraph } from '@apollo/federation-internals';
import { QueryPlanner, type FetchNode, type PlanNode, type QueryPlan } from '@apollo/query-planner';
import { parse, print, visit } from 'graphql';
import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import { perSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';
import { separateTypes } from './interface-object.ts';
import { changeFetches, inOrder } from './order.ts';
import type { Overrides } from './overrides.ts';
import { withRequirements } from './requirement-document.ts';
import { separateFetch } from './requirement-fetch.ts';
import { requirementsOf } from './requirement-index.ts';
import { typeIndexOf } from './types.ts';

/** What is planned, and how. */
export interface PlanSource {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly overrides: Overrides;
}

/** Whether an operation is such a one. */
export function haveRequirementsMet({ supergraph, document }: PlanSource): boolean {
  return requirementsOf(supergraph).mayMeet && withRequirements(supergraph, document).hasMet;
}

/** The plan of such an operation, or of any that defers nothing. Throws what the planner throws. */
export function planRequirements({ supergraph, document, operation, overrides }: PlanSource): QueryPlan {
  const { document: whole } = withRequirements(supergraph, document);
  const { schema, planner } = freeOfRequirements(supergraph);
  const { node, ...plan } = planner.buildQueryPlan(
    operationFromDocument(schema, whole, {
      ...(operation.name ? { operationName: operation.name.value } : {}),
      validate: false,
    }),
    { overrideConditions: new Map(overrides.conditions) },
  );
  const moved = new Set<FetchNode>();
  const separate = (one: PlanNode): PlanNode =>
    changeFetches(one, [], (fetch) => separateFetch(supergraph, fetch, moved));
  const ordered = (one: PlanNode): PlanNode => inOrder(separate(one), moved, typeIndexOf(supergraph));
  if (!node) return plan;
  // What an event brings is there already.
  const root =
    node.kind === 'Subscription' ? { ...node, ...(node.rest ? { rest: ordered(node.rest) } : {}) } : ordered(node);
  return separateTypes(supergraph, whole, { ...plan, node: root });
}

/** A supergraph in which nothing is required and nothing inaccessible, and its planner; made when it is first needed. */
const freeOfRequirements = perSupergraph(({ plannerSdl }: Supergraph) => {
  const sdl = visit(parse(plannerSdl, { noLocation: true }), {
    Directive({ name, arguments: given, ...directive }) {
      if (name.value === 'inaccessible') return null;
      if (name.value !== 'join__field') return undefined;
      return { ...directive, name, arguments: given?.filter((argument) => argument.name.value !== 'requires') };
    },
  });
  // The fields that were required are external without a use, which is no valid subgraph.
  const federation = FederationSupergraph.build(print(sdl), { supportedFeatures: null, validateSupergraph: false });
  return { schema: federation.apiSchema(), planner: new QueryPlanner(federation, { reuseQueryFragments: false }) };
});
