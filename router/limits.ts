// What an operation may ask at most. Measured once on the text and the parsed document, before validation, and the same for HTTP and
// sockets.
import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionNode, SelectionSetNode } from 'graphql';
import { CodedError } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';

/** Each limit: the code of an operation that is over it, and what is counted. Fragments count wherever they are spread. */
export const limitTable = {
  tokens: { code: 'MAX_TOKENS_LIMIT', counts: "document's number of tokens or lines" },
  nesting: { code: 'MAX_NESTING_LIMIT', counts: "document's nesting of brackets or fragments" },
  operations: { code: 'MAX_OPERATIONS_LIMIT', counts: "document's number of operations" },
  depth: { code: 'MAX_DEPTH_LIMIT', counts: "operation's depth" },
  height: { code: 'MAX_HEIGHT_LIMIT', counts: "operation's number of fields" },
  aliases: { code: 'MAX_ALIASES_LIMIT', counts: "operation's number of aliases" },
  root_fields: { code: 'MAX_ROOT_FIELDS_LIMIT', counts: "operation's number of root fields" },
  directives: { code: 'MAX_DIRECTIVES_LIMIT', counts: "operation's number of directives" },
  defers: { code: 'MAX_DEFERS_LIMIT', counts: "operation's number of deferred fragments" },
  type_cost: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', counts: "operation's estimated type cost" },
  field_cost: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', counts: "operation's estimated field cost" },
} as const satisfies Record<string, { readonly code: ErrorCode; readonly counts: string }>;

export type LimitName = keyof typeof limitTable;
export const limitNames = Object.keys(limitTable) as readonly LimitName[];

/** The most that one operation may have, by limit. */
export interface Limits extends Readonly<Record<LimitName, number>> {
  /** Limits that refuse nothing: an operation over one is only told to `onExceeded`. */
  readonly measureOnly: ReadonlySet<LimitName>;
}

/** Limits that nothing is over. */
export const unlimited: Limits = {
  ...(Object.fromEntries(limitNames.map((name) => [name, Infinity])) as Record<LimitName, number>),
  measureOnly: new Set(),
};

/** What is told of an operation that is over a limit, whether it was refused or not. */
export interface Exceeded {
  readonly limit: LimitName;
  readonly measured: number;
  readonly allowed: number;
  readonly refused: boolean;
}

const nothing = {
  operations: 0,
  nesting: 0,
  depth: 0,
  height: 0,
  aliases: 0,
  root_fields: 0,
  directives: 0,
  defers: 0,
};

/** What is counted in a document: its operations, and the largest of each that one of them has. */
export type Measures = Readonly<typeof nothing>;

/** Measures a document. Linear in the document, whatever fragments do. */
export function measureDocument(document: DocumentNode): Measures {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, Measures>();

  const ofFragment = (name: string): Measures => {
    const measured = known.get(name);
    if (measured !== undefined) return measured;
    // A fragment that spreads itself adds nothing here; validation refuses it afterwards.
    known.set(name, nothing);
    const fragment = fragments.get(name);
    const measures = fragment === undefined ? nothing : ofSelections(fragment.selectionSet);
    known.set(name, measures);
    return measures;
  };

  const inside = (selection: SelectionNode): Measures => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return ofFragment(selection.name.value);
    return selection.selectionSet === undefined ? nothing : ofSelections(selection.selectionSet);
  };

  const ofSelections = ({ selections }: SelectionSetNode): Measures => {
    let { nesting, depth, height, aliases, root_fields, directives, defers } = nothing;
    for (const selection of selections) {
      const isField = selection.kind === Kind.FIELD;
      const inner = inside(selection);
      const own = selection.directives ?? [];
      nesting = Math.max(nesting, inner.nesting);
      depth = Math.max(depth, inner.depth + (isField ? 1 : 0));
      height += inner.height + (isField ? 1 : 0);
      aliases += inner.aliases + (isField && selection.alias !== undefined ? 1 : 0);
      root_fields += isField ? 1 : inner.root_fields;
      directives += inner.directives + own.length;
      defers += inner.defers + own.filter(({ name }) => name.value === 'defer').length;
    }
    return { operations: 0, nesting: nesting + 1, depth, height, aliases, root_fields, directives, defers };
  };

  return document.definitions.reduce<Measures>((largest, definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return largest;
    const measures = ofSelections(definition.selectionSet);
    const own = [definition, ...(definition.variableDefinitions ?? [])].flatMap((node) => node.directives ?? []).length;
    return {
      operations: largest.operations + 1,
      nesting: Math.max(largest.nesting, measures.nesting),
      depth: Math.max(largest.depth, measures.depth),
      height: Math.max(largest.height, measures.height),
      aliases: Math.max(largest.aliases, measures.aliases),
      root_fields: Math.max(largest.root_fields, measures.root_fields),
      directives: Math.max(largest.directives, measures.directives + own),
      defers: Math.max(largest.defers, measures.defers),
    };
  }, nothing);
}

/** The limits that some measures are over, in the order of the table; empty when all is well. */
export function exceededLimits(measures: Readonly<Partial<Record<LimitName, number>>>, limits: Limits): Exceeded[] {
  return limitNames.flatMap((limit) => {
    const measured = measures[limit] ?? 0;
    const allowed = limits[limit];
    return measured <= allowed ? [] : [{ limit, measured, allowed, refused: !limits.measureOnly.has(limit) }];
  });
}

/** The error of an operation that is refused for being over a limit. */
export function limitError({ limit, measured, allowed }: Exceeded): CodedError {
  const { code, counts } = limitTable[limit];
  return new CodedError(code, `The ${counts} is ${measured}; ${allowed} is allowed.`, {
    measured,
    allowed,
  });
}
