// Takes an operation apart at its `@defer`s: what is answered at once, and the parts that come later, each with its place.
import { getNamedType, isCompositeType, isInterfaceType, isObjectType, Kind, visit } from 'graphql';
import type {
  DirectiveNode,
  DocumentNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  InlineFragmentNode,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { isCondition, isIncluded } from './conditions.ts';
import type { DataKeys } from './keys.ts';
import type { Selectable } from './shape.ts';

/** One `@defer` of an operation. */
export interface DeferredPart {
  /** Its name in the plan. A fragment that is spread twice is two parts. */
  readonly id: string;
  /** The client's name for it. */
  readonly label: string | undefined;
  /** The part that it stands in. */
  readonly parent: DeferredPart | undefined;
  /** The fields that lead to the objects that it adds to, each with the types that the object above it must be of. */
  readonly path: readonly PartStep[];
  /** The types that those objects must be of. */
  readonly conditions: readonly string[];
  /** The type that it is selected on. */
  readonly type: GraphQLCompositeType;
  /** Its fields, without those of parts inside. */
  readonly selectable: Selectable;
}

/** One field on the way to a part. */
export interface PartStep {
  readonly conditions: readonly string[];
  /** In the response. */
  readonly key: string;
  /** In the data. */
  readonly dataKey: string;
}

/** An operation taken apart. */
export interface SplitOperation {
  /** For the planner: fragments spread out, conditions decided, each `@defer` with the id of its part as label. */
  readonly document: DocumentNode;
  /** What is answered at once. */
  readonly primary: Selectable;
  /** Outer before inner. */
  readonly parts: readonly DeferredPart[];
}

/** What decides how an operation is taken apart. */
export interface SplitSource {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly keyOf: DataKeys;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What a selection becomes: as it is planned, and as it is answered together with what stands around it. */
interface Split {
  readonly planned: SelectionNode[];
  readonly kept: SelectionNode[];
}

interface Place extends Pick<DeferredPart, 'path' | 'conditions' | 'type'> {
  readonly part: DeferredPart | undefined;
}

const noFragments: Selectable['fragments'] = new Map();

/** Whether a document has any `@defer`, active or not. */
export function hasDefer(document: DocumentNode): boolean {
  const found = { one: false };
  visit(document, { Directive: ({ name }) => void (found.one ||= name.value === 'defer') });
  return found.one;
}

/** The variables that decide `@skip`, `@include` and `@defer` in a document. */
export function decidingVariablesOf(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(directive) {
      const value = isCondition(directive) || directive.name.value === 'defer' ? ifOf(directive) : undefined;
      if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}

/** Takes an operation apart, as the variables decide. No parts: nothing is deferred. */
export function splitOperation(source: SplitSource): SplitOperation {
  const { supergraph, document, operation, keyOf, variables } = source;
  const { schema } = supergraph;
  const parts: DeferredPart[] = [];
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of document.definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);

  const split = ({ selections }: SelectionSetNode, place: Place): Split => {
    const result: Split = { planned: [], kept: [] };
    for (const selection of selections) {
      if (!isIncluded(selection, variables)) continue;
      const directives = (selection.directives ?? []).filter((one) => !isCondition(one) && one.name.value !== 'defer');
      if (selection.kind === Kind.FIELD) {
        const definition = 'getFields' in place.type ? place.type.getFields()[selection.name.value] : undefined;
        const type = definition && getNamedType(definition.type);
        if (!selection.selectionSet || !isCompositeType(type)) {
          const field = { ...selection, directives };
          result.planned.push(field);
          result.kept.push(field);
          continue;
        }
        const key = selection.alias?.value ?? selection.name.value;
        const step: PartStep = { conditions: place.conditions, key, dataKey: keyOf(selection) };
        const path = [...place.path, step];
        const inner = split(selection.selectionSet, { part: place.part, path, conditions: [], type });
        result.planned.push({ ...selection, directives, selectionSet: setOf(inner.planned) });
        result.kept.push({ ...selection, directives, selectionSet: setOf(inner.kept) });
        continue;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (!fragment) continue;
      const condition = fragment.typeCondition?.name.value;
      const named = condition === undefined ? place.type : schema.getType(condition);
      const type = isCompositeType(named) ? named : place.type;
      const conditions = condition === undefined ? place.conditions : [...place.conditions, condition];
      const wrap = (inner: readonly SelectionNode[], own: readonly DirectiveNode[]): InlineFragmentNode => ({
        kind: Kind.INLINE_FRAGMENT,
        ...(fragment.typeCondition ? { typeCondition: fragment.typeCondition } : {}),
        directives: own,
        selectionSet: setOf(inner),
      });
      const defer = selection.directives?.find((one) => isActiveDefer(one, variables));
      if (!defer) {
        const inner = split(fragment.selectionSet, { ...place, conditions, type });
        result.planned.push(wrap(inner.planned, directives));
        result.kept.push(wrap(inner.kept, directives));
        continue;
      }
      const set: { selections: SelectionNode[] } = { selections: [] };
      const part: DeferredPart = {
        id: `part${parts.length}`,
        label: labelOf(defer),
        parent: place.part,
        path: place.path,
        conditions,
        type,
        selectable: { selectionSet: { kind: Kind.SELECTION_SET, selections: set.selections }, fragments: noFragments },
      };
      parts.push(part);
      const inner = split(fragment.selectionSet, { ...place, part, conditions, type });
      set.selections.push(...inner.kept);
      result.planned.push(wrap(inner.planned, [...directives, deferAs(part.id)]));
    }
    return result;
  };

  const root = schema.getRootType(operation.operation);
  const whole = root && split(operation.selectionSet, { part: undefined, path: [], conditions: [], type: root });
  return {
    document: {
      kind: Kind.DOCUMENT,
      definitions: [{ ...operation, selectionSet: setOf(whole?.planned ?? []) }],
    },
    primary: { selectionSet: setOf(whole?.kept ?? []), fragments: noFragments },
    parts,
  };
}

/** The type that the fields of a part are of, at an object whose data says that it is of `typename`. */
export function runtimeTypeOf(part: DeferredPart, typename: unknown, { schema }: Supergraph): GraphQLCompositeType {
  const type = typeof typename === 'string' && !isObjectType(part.type) ? schema.getType(typename) : undefined;
  return isObjectType(type) || isInterfaceType(type) ? type : part.type;
}

const setOf = (selections: readonly SelectionNode[]): SelectionSetNode => ({ kind: Kind.SELECTION_SET, selections });

const ifOf = ({ arguments: given }: DirectiveNode) => given?.find(({ name }) => name.value === 'if')?.value;

function isActiveDefer(directive: DirectiveNode, variables: Readonly<Record<string, unknown>>): boolean {
  if (directive.name.value !== 'defer') return false;
  const value = ifOf(directive);
  if (value?.kind === Kind.VARIABLE) return variables[value.name.value] !== false;
  return value?.kind !== Kind.BOOLEAN || value.value;
}

function labelOf({ arguments: given }: DirectiveNode): string | undefined {
  const value = given?.find(({ name }) => name.value === 'label')?.value;
  return value?.kind === Kind.STRING ? value.value : undefined;
}

function deferAs(label: string): DirectiveNode {
  const name = (value: string) => ({ kind: Kind.NAME, value }) as const;
  const argument = { kind: Kind.ARGUMENT, name: name('label'), value: { kind: Kind.STRING, value: label } } as const;
  return { kind: Kind.DIRECTIVE, name: name('defer'), arguments: [argument] };
}
