// The document as the planner gets it. The planner asks for keys and required fields under their own names and drops a
// client's alias of the same name, and it cannot plan introspection: so such aliases get another key, and introspection goes.
import { Kind, parse, visit } from 'graphql';
import type { DocumentNode, FieldNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';

const prefix = 'client__';

/** The names of all fields that stand in a key, a `requires` or a context selection of a supergraph. */
export interface InputKeys {
  readonly all: ReadonlySet<string>;
  /** Those that stand there with arguments. */
  readonly withArguments: ReadonlySet<string>;
}

const inputKeys = new WeakMap<Supergraph, InputKeys>();

/** The key under which a field of the client's document stands in the tree of data. */
export function dataKeyOf(field: FieldNode, supergraph: Supergraph): string {
  const name = field.name.value;
  const key = field.alias?.value ?? name;
  const { all, withArguments } = inputKeysOf(supergraph);
  const isSame = key === name && !field.arguments?.length && !withArguments.has(name);
  const isTaken = !isSame && (all.has(key) || key.startsWith(prefix) || /__alias_\d+$/.test(key));
  return isTaken ? prefix + key : key;
}

/** The client's name of a key of the tree. */
export function clientKeyOf(dataKey: string): string {
  return dataKey.startsWith(prefix) ? dataKey.slice(prefix.length) : dataKey;
}

/** The document to plan. The same object when nothing has to change. */
export function documentToPlan(document: DocumentNode, supergraph: Supergraph): DocumentNode {
  return visit(document, {
    Field(field) {
      const key = field.alias?.value ?? field.name.value;
      const dataKey = dataKeyOf(field, supergraph);
      return dataKey === key ? undefined : { ...field, alias: { kind: Kind.NAME, value: dataKey } };
    },
    SelectionSet: {
      leave(node): SelectionSetNode | undefined {
        const selections = node.selections.filter((one) => one.kind !== Kind.FIELD || !isIntrospection(one));
        if (selections.length === node.selections.length) return undefined;
        const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };
        return { ...node, selections: selections.length > 0 ? selections : [typename] };
      },
    },
  });
}

/** Whether a field asks about the schema. */
export function isIntrospection(field: FieldNode): boolean {
  return field.name.value === '__schema' || field.name.value === '__type';
}

/** The input keys of a supergraph, read once. */
export function inputKeysOf(supergraph: Supergraph): InputKeys {
  let keys = inputKeys.get(supergraph);
  if (!keys) {
    keys = readInputKeys(supergraph.sdl);
    inputKeys.set(supergraph, keys);
  }
  return keys;
}

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
