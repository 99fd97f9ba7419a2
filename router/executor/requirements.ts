// Keeps apart what fields require of one field with different arguments. The planner (2.14.4) takes the field for the same
// whatever its arguments, asks for it once, and sends that one value for all. Such a plan is changed: the field is asked for
// under a key for each set of arguments, and the fields that require it differently are fetched apart, each with its own.
import type { FetchNode, PlanNode, QueryPlan, QueryPlanSelectionNode, ResponsePath } from '@apollo/query-planner';
import { Kind, parse, print, stripIgnoredCharacters, visit } from 'graphql';
import type { ArgumentNode, DocumentNode, FieldNode, SelectionNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { requirementKey } from './keys.ts';
import { requirementsOf, type Requirement } from './requirement-index.ts';
import { typeIndexOf } from './types.ts';

/** The arguments with which one field of the tree is required, by their text. The first have the field's own name as key. */
interface Variants {
  readonly argumentsByText: Map<string, readonly ArgumentNode[]>;
  /** Who requires it, and with what. */
  readonly textsByType: Map<string, Set<string>>;
}

/** By the keys that lead to the field. */
type Conflicts = ReadonlyMap<string, Variants>;

interface Facts {
  readonly supergraph: Supergraph;
  readonly conflicts: Conflicts;
}

/**
 * The plan in which each field is sent what it requires: as it is, unless requirements differ in arguments. One that would
 * have to be changed and defers is given up for one that does nothing: the operation is then answered in one piece.
 */
export function separateRequirements(supergraph: Supergraph, plan: QueryPlan): QueryPlan {
  const { node } = plan;
  if (!node || !requirementsOf(supergraph).mayDiffer) return plan;
  const conflicts = conflictsIn(supergraph, node.kind === 'Subscription' ? node.rest : node);
  if (conflicts.size === 0) return plan;
  if (node.kind === 'Defer') return { kind: 'QueryPlan' };
  const facts = { supergraph, conflicts };
  if (node.kind !== 'Subscription') return { ...plan, node: separate(node, [], facts) };
  const primary = withKeys(node.primary, [], facts);
  return { ...plan, node: { ...node, primary, ...(node.rest ? { rest: separate(node.rest, [], facts) } : {}) } };
}

function conflictsIn(supergraph: Supergraph, root: PlanNode | undefined): Conflicts {
  const found = new Map<string, Variants>();
  const look = (node: PlanNode | undefined, path: ResponsePath): void => {
    switch (node?.kind) {
      case undefined:
        return;
      case 'Fetch':
        for (const { type, path: below, text, given } of requirementsIn(supergraph, node)) {
          const at = [...keysOf(path), ...below].join('/');
          const variants: Variants = found.get(at) ?? { argumentsByText: new Map(), textsByType: new Map() };
          found.set(at, variants);
          variants.argumentsByText.set(text, given);
          variants.textsByType.set(type, (variants.textsByType.get(type) ?? new Set<string>()).add(text));
        }
        return;
      case 'Flatten':
        return look(node.node, [...path, ...node.path]);
      case 'Sequence':
      case 'Parallel':
        return node.nodes.forEach((child) => look(child, path));
      case 'Condition':
        return [node.ifClause, node.elseClause].forEach((child) => look(child, path));
      case 'Defer':
        return [node.primary, ...node.deferred].forEach((part) => look(part.node, path));
    }
  };
  look(root, []);
  const differ = ({ textsByType }: Variants): boolean => [...textsByType.values()].some(({ size }) => size > 1);
  return new Map([...found].filter(([, variants]) => differ(variants)));
}

function requirementsIn(supergraph: Supergraph, node: FetchNode): (Requirement & { readonly type: string })[] {
  if (!node.requires) return [];
  const { of } = requirementsOf(supergraph);
  return entityFields(parse(node.operation, { noLocation: true })).flatMap(({ type, field }) =>
    of(node.serviceName, type, field.name.value).map((one) => ({ ...one, type })),
  );
}

/** The fields that a fetch asks of entities. */
function entityFields({ definitions }: DocumentNode): { readonly type: string; readonly field: FieldNode }[] {
  const fieldsIn = (set: SelectionSetNode | undefined, type: string): ReturnType<typeof entityFields> =>
    (set?.selections ?? []).flatMap((one) => {
      if (one.kind === Kind.FIELD) return [{ type, field: one }];
      return one.kind === Kind.INLINE_FRAGMENT ? fieldsIn(one.selectionSet, one.typeCondition?.name.value ?? type) : [];
    });
  const [operation] = definitions;
  const roots = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections : [];
  return roots.flatMap((root) => (root.kind === Kind.FIELD ? fieldsIn(root.selectionSet, '') : []));
}

function separate(node: PlanNode, path: ResponsePath, facts: Facts): PlanNode {
  const child = (one: PlanNode): PlanNode => separate(one, path, facts);
  switch (node.kind) {
    case 'Fetch':
      return inParallel(splitFetch(withKeys(node, path, facts), path, facts));
    case 'Flatten': {
      const inner = separate(node.node, [...path, ...node.path], facts);
      return inParallel(pathsFor(path, node.path, facts).map((one) => ({ ...node, path: one, node: inner })));
    }
    case 'Sequence':
    case 'Parallel':
      return { ...node, nodes: node.nodes.map(child) };
    case 'Condition':
      return {
        ...node,
        ...(node.ifClause ? { ifClause: child(node.ifClause) } : {}),
        ...(node.elseClause ? { elseClause: child(node.elseClause) } : {}),
      };
    case 'Defer':
      throw new Error('A plan defers below its root.');
  }
}

const inParallel = (nodes: readonly PlanNode[]): PlanNode => {
  const [only] = nodes;
  return only && nodes.length === 1 ? only : { kind: 'Parallel', nodes: [...nodes] };
};

/** What is fetched below a field is fetched below each of its keys. */
function pathsFor(before: ResponsePath, path: ResponsePath, { conflicts }: Facts): ResponsePath[] {
  return path.reduce<ResponsePath[]>(
    (paths, step, index) => {
      const variants = conflicts.get(keysOf([...before, ...path.slice(0, index + 1)]).join('/'));
      const steps = step === '@' || !variants ? [step] : keysFor(String(step), variants).map(([key]) => key);
      return paths.flatMap((one) => steps.map((key) => [...one, key]));
    },
    [[]],
  );
}

/** Asks for a field under each of its keys where a fetch asks for it under its name. */
function withKeys(node: FetchNode, path: ResponsePath, { supergraph, conflicts }: Facts): FetchNode {
  const { applies } = typeIndexOf(supergraph);
  const renames = new Map(
    (node.outputRewrites ?? []).flatMap((one) =>
      one.kind === 'KeyRenamer' ? [[one.path.at(-1), one.renameKeyTo]] : [],
    ),
  );
  const isFor = ({ textsByType }: Variants, condition: string | undefined): boolean =>
    condition === undefined ||
    [...textsByType.keys()].some((type) => applies(type, condition) || applies(condition, type));
  const change = (set: SelectionSetNode, at: readonly string[], condition?: string): SelectionSetNode => ({
    ...set,
    selections: set.selections.flatMap((one): SelectionNode[] => {
      if (one.kind === Kind.FRAGMENT_SPREAD) return [one];
      if (one.kind === Kind.INLINE_FRAGMENT) {
        return [{ ...one, selectionSet: change(one.selectionSet, at, one.typeCondition?.name.value ?? condition) }];
      }
      const key = one.alias?.value ?? one.name.value;
      const isEntities = node.requires !== undefined && key === '_entities';
      const here = isEntities ? at : [...at, renames.get(key) ?? key];
      const field = one.selectionSet ? { ...one, selectionSet: change(one.selectionSet, here) } : one;
      const variants = conflicts.get(here.join('/'));
      if (isEntities || !variants || one.name.value !== here.at(-1) || !isFor(variants, condition)) return [field];
      return keysFor(one.name.value, variants).map(([other, given], index) =>
        index === 0
          ? { ...field, arguments: given }
          : { ...field, arguments: given, alias: { kind: Kind.NAME, value: other } },
      );
    }),
  });
  const document = parse(node.operation, { noLocation: true });
  const operation = textOf(
    visit(document, {
      OperationDefinition: (one) => ({ ...one, selectionSet: change(one.selectionSet, keysOf(path)) }),
    }),
  );
  return { ...node, operation };
}

/** Fields that require the same with other arguments do not fit in one fetch: they are sent one value. */
function splitFetch(node: FetchNode, path: ResponsePath, { supergraph, conflicts }: Facts): FetchNode[] {
  if (!node.requires) return [node];
  const document = parse(node.operation, { noLocation: true });
  const groups: { readonly fields: Set<FieldNode>; readonly texts: Map<string, string> }[] = [];
  for (const { type, field } of entityFields(document)) {
    const wanted = requirementsOf(supergraph)
      .of(node.serviceName, type, field.name.value)
      .filter((one) => conflicts.has([...keysOf(path), ...one.path].join('/')))
      .map((one) => [one.path.join('/'), one.text] as const);
    let group = groups.find(({ texts }) => wanted.every(([at, text]) => (texts.get(at) ?? text) === text));
    if (!group) groups.push((group = { fields: new Set(), texts: new Map() }));
    group.fields.add(field);
    for (const [at, text] of wanted) group.texts.set(at, text);
  }
  return groups.map(({ fields, texts }) => {
    const renames = new Map(
      [...texts].map(([at, text]) => {
        const variants = conflicts.get([...keysOf(path), at].join('/')) as Variants;
        const index = [...variants.argumentsByText.keys()].indexOf(text);
        return [at, keysFor(at.split('/').at(-1) ?? '', variants)[index]?.[0] ?? at];
      }),
    );
    return {
      ...(groups.length > 1 ? { ...node, ...onlyFields(document, fields) } : node),
      requires: renamed(node.requires ?? [], [], renames),
      inputRewrites: [...(node.inputRewrites ?? []), ...renamesBack(renames)],
    };
  });
}

function onlyFields(
  document: DocumentNode,
  wanted: ReadonlySet<FieldNode>,
): Pick<FetchNode, 'operation' | 'variableUsages'> {
  const others = new Set(entityFields(document).flatMap(({ field }) => (wanted.has(field) ? [] : [field])));
  const smaller = visit(document, {
    Field: { enter: (field) => (others.has(field) ? null : undefined) },
    InlineFragment: { leave: ({ selectionSet }) => (selectionSet.selections.length === 0 ? null : undefined) },
  });
  const used = new Set<string>();
  const [operation] = smaller.definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return { operation: textOf(smaller) };
  visit(operation.selectionSet, { Variable: ({ name }) => void used.add(name.value) });
  const variableDefinitions = (operation.variableDefinitions ?? []).filter(({ variable }) =>
    used.has(variable.name.value),
  );
  return {
    operation: textOf({ ...smaller, definitions: [{ ...operation, variableDefinitions }] }),
    variableUsages: [...used].filter((name) => name !== 'representations'),
  };
}

/** What is required, read under its keys. */
function renamed(
  nodes: readonly QueryPlanSelectionNode[],
  at: readonly string[],
  renames: ReadonlyMap<string, string>,
): QueryPlanSelectionNode[] {
  return nodes.map((node) => {
    const here = node.kind === 'Field' ? [...at, node.name] : at;
    const inner = node.selections ? { selections: renamed(node.selections, here, renames) } : {};
    const key = node.kind === 'Field' ? renames.get(here.join('/')) : undefined;
    if (node.kind !== 'Field') return { ...node, ...inner };
    return { ...node, ...inner, ...(key !== undefined && key !== node.name ? { alias: key } : {}) };
  });
}

/** And sent under its name: what is inside before what is around it. */
function renamesBack(renames: ReadonlyMap<string, string>): NonNullable<FetchNode['inputRewrites']> {
  return [...renames]
    .map(([at, key]) => ({ names: at.split('/'), key }))
    .filter(({ names, key }) => key !== names.at(-1))
    .sort((one, other) => other.names.length - one.names.length)
    .map(({ names, key }) => ({
      kind: 'KeyRenamer' as const,
      path: names.map((name, index) =>
        index === names.length - 1 ? key : (renames.get(names.slice(0, index + 1).join('/')) ?? name),
      ),
      renameKeyTo: names.at(-1) ?? '',
    }));
}

/** The keys of a field, each with its arguments. */
const keysFor = (name: string, { argumentsByText }: Variants): (readonly [string, readonly ArgumentNode[]])[] =>
  [...argumentsByText.values()].map((given, index) => [index === 0 ? name : requirementKey(name, index), given]);

const keysOf = (path: ResponsePath): string[] => path.flatMap((step) => (step === '@' ? [] : [String(step)]));

const textOf = (document: DocumentNode): string => stripIgnoredCharacters(print(document));
