// The document as the planner gets it. The planner asks for keys and required fields under their own names and drops a
// client's alias of the same name; under different parents it takes fields of one name for the same, whatever their
// arguments; and it cannot plan introspection. So such fields get other keys, and introspection and conditions go.
import { Kind, parse, print, visit } from 'graphql';
import type { DocumentNode, FieldNode, SelectionSetNode } from 'graphql';
import { perSupergraph } from '../supergraph.ts';
import type { Supergraph } from '../supergraph.ts';
import { isCondition, isIncluded } from './conditions.ts';
import { typenameField } from './fetch-text.ts';

/** The key under which a field of a client's document stands in the tree of data. */
export type DataKeys = (field: FieldNode) => string;

/** The names of all fields that stand in a key, a `requires` or a context selection of a supergraph. */
export interface InputKeys {
  readonly all: ReadonlySet<string>;
  /** Those that stand there with arguments. */
  readonly withArguments: ReadonlySet<string>;
}

/** What our own keys begin with: `client__`, `client_<number>__` for one of several fields of the same name, or as `requirementKey` says. */
const ownKey = /^(client(_\d+)?|required_\d+)__/;

/** The key of a field that others require with several sets of arguments: `required_<number>__`, for all but the first. */
export const requirementKey = (name: string, index: number): string => `required_${index}__${name}`;
const isRequirementKey = /^required_\d+__/;

/** Whether a key of the tree is one that the client has given a field, under another name. */
export const isAliasOfClient = (dataKey: string): boolean => ownKey.test(dataKey) && !isRequirementKey.test(dataKey);

/** The keys for a document. */
export function dataKeysFor(document: DocumentNode, supergraph: Supergraph): DataKeys {
  const { all, withArguments } = inputKeysOf(supergraph);
  const signatures = new Map<string, string[]>();
  visit(document, {
    Field(field) {
      const key = field.alias?.value ?? field.name.value;
      const known = signatures.get(key) ?? [];
      signatures.set(key, known);
      const signature = signatureOf(field);
      if (!known.includes(signature)) known.push(signature);
    },
  });
  return (field) => {
    const key = field.alias?.value ?? field.name.value;
    const signature = signatureOf(field);
    // Nor may a key reach the prototype of the objects that it stands in.
    if (key in Object.prototype) return `client_${signatures.get(key)?.indexOf(signature) ?? 0}__${key}`;
    if (signature === key && !withArguments.has(key)) return key;
    const same = signatures.get(key) ?? [];
    if (same.length > 1) return `client_${same.indexOf(signature)}__${key}`;
    return all.has(key) || ownKey.test(key) || /__alias_\d+$/.test(key) ? `client__${key}` : key;
  };
}

/** The client's name of a key of the tree. */
export function clientKeyOf(dataKey: string): string {
  return dataKey.replace(ownKey, '');
}

function signatureOf({ name, arguments: given }: FieldNode): string {
  if (!given?.length) return name.value;
  return `${name.value}(${given.map(print).sort().join()})`;
}

/**
 * The document to plan: with other keys, without introspection, and with conditions decided as the variables say.
 * @param keepsDefer whether it is planned to be answered in pieces; else what is deferred is asked for like all else.
 */
export function documentToPlan(
  document: DocumentNode,
  keyOf: DataKeys,
  variables: Readonly<Record<string, unknown>>,
  keepsDefer = false,
): DocumentNode {
  return visit(document, {
    Directive: ({ name }) => (name.value === 'defer' && !keepsDefer ? null : undefined),
    Field(field) {
      const key = field.alias?.value ?? field.name.value;
      const dataKey = keyOf(field);
      return dataKey === key ? undefined : { ...field, alias: { kind: Kind.NAME, value: dataKey } };
    },
    SelectionSet(node): SelectionSetNode {
      const selections = node.selections
        .filter((one) => isIncluded(one, variables) && (one.kind !== Kind.FIELD || !isIntrospection(one)))
        .map((one) =>
          one.directives?.some(isCondition)
            ? { ...one, directives: one.directives.filter((directive) => !isCondition(directive)) }
            : one,
        );
      return { ...node, selections: selections.length > 0 ? selections : [typenameField] };
    },
  });
}

/** Whether a field asks about the schema. */
export function isIntrospection(field: FieldNode): boolean {
  return field.name.value === '__schema' || field.name.value === '__type';
}

/** The input keys of a supergraph, read once. */
export const inputKeysOf = perSupergraph(({ sdl }) => readInputKeys(sdl));

function readInputKeys(sdl: string): InputKeys {
  const all = new Set(['__typename']);
  const withArguments = new Set<string>();
  const read = (text: string) => {
    const selection = text.trim().startsWith('{') ? text : `{${text}}`;
    visit(parse(selection), {
      Field: ({ name, arguments: given }) => {
        all.add(name.value);
        if (given?.length) withArguments.add(name.value);
      },
    });
  };
  visit(parse(sdl, { noLocation: true }), {
    Directive(directive) {
      for (const argument of directive.name.value.startsWith('join__') ? (directive.arguments ?? []) : []) {
        if (argument.value.kind === Kind.STRING && /^(key|requires)$/.test(argument.name.value)) {
          read(argument.value.value);
        } else if (argument.name.value === 'contextArguments') {
          visit(argument.value, {
            ObjectField: ({ name, value }) => {
              if (name.value === 'selection' && value.kind === Kind.STRING) read(value.value);
            },
          });
        }
      }
    },
  });
  return { all, withArguments };
}
