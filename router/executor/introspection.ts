// Answers `__schema` and `__type` from the API schema through graphql-js.
import { executeSync, Kind, visit } from 'graphql';
import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import type { FieldShape } from './shape.ts';

/** The operation that asks. */
export interface IntrospectionSource {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
}

/** The value of one introspection field, which the document has been validated for. */
export function resolveIntrospection(
  { supergraph, document, operation }: IntrospectionSource,
  field: FieldShape,
  variables: Readonly<Record<string, unknown>>,
): unknown {
  const fragments = document.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
  const used = new Set<string>();
  const noteVariables = { Variable: ({ name }: { name: { value: string } }) => void used.add(name.value) };
  for (const node of field.nodes) visit(node, noteVariables);
  for (const fragment of fragments) visit(fragment, noteVariables);
  const { data, errors } = executeSync({
    schema: supergraph.schema,
    document: {
      kind: Kind.DOCUMENT,
      definitions: [
        {
          ...operation,
          directives: [],
          operation: 'query' as OperationDefinitionNode['operation'],
          variableDefinitions: (operation.variableDefinitions ?? []).filter(({ variable }) =>
            used.has(variable.name.value),
          ),
          selectionSet: { kind: Kind.SELECTION_SET, selections: field.nodes },
        },
        ...fragments,
      ],
    },
    variableValues: variables,
  });
  if (errors?.[0]) throw errors[0];
  return data?.[field.key];
}
