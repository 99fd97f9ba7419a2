// What the router reads of a supergraph, and what it hands to the official gateway.
import { ApolloGateway } from '@apollo/gateway';
import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../schema/compose.ts';
import { disableApolloTelemetry } from './config.ts';
import { loadSupergraph } from './supergraph.ts';

const federation = (...imports: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(['@key', ...imports])})`;
const eventLink = `
  extend schema @link(url: "https://baedal.dev/specs/event/v1.0", import: ["@event"]) @composeDirective(name: "@event")
  directive @event(stream: String!, subject: String!, present: Boolean! = false) on FIELD_DEFINITION
`;

const compose = (sdls: Readonly<Record<string, string>>): string =>
  composeSupergraph(Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}:1/graphql`, sdl })))
    .supergraphSdl;

const withEvents = (field: string): string =>
  compose({
    things: `${federation()} type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! name: String }`,
    'thing-events': `${federation('@composeDirective')} ${eventLink}
      type Subscription { ${field} }
      type Thing @key(fields: "id", resolvable: false) { id: ID! }`,
  });

describe('a supergraph', () => {
  test('without events or auth has neither', () => {
    const supergraph = loadSupergraph(compose({ a: `${federation()} type Query { a: Int }` }));
    expect(supergraph.eventFields.size).toBe(0);
    expect(supergraph.authRules.isEmpty).toBe(true);
    expect([...supergraph.subgraphs]).toEqual([['a', { url: 'http://a:1/graphql' }]]);
  });

  test('names what it is when it is none', () => {
    expect(() => loadSupergraph('type Query { a: Int }')).toThrow(/supergraph/i);
    expect(() => loadSupergraph('type Query {')).toThrow(/Syntax Error/);
  });

  test('takes addresses by name, or as a variable spells the name', () => {
    const sdl = compose({ 'my-graph': `${federation()} type Query { a: Int }` });
    expect(loadSupergraph(sdl, { 'my-graph': 'http://x' }).subgraphs.get('my-graph')?.url).toBe('http://x');
    expect(loadSupergraph(sdl, { MY_GRAPH: 'http://y' }).subgraphs.get('my-graph')?.url).toBe('http://y');
    expect(loadSupergraph(sdl, { MY_GRAPH: 'http://y' }).id).not.toBe(loadSupergraph(sdl).id);
  });

  test('reads the auth rules of fields and of types', () => {
    const { authRules } = loadSupergraph(
      compose({
        a: `${federation('@authenticated', '@requiresScopes', '@policy')}
          type Query { open: Int closed: Int @authenticated scoped: T @requiresScopes(scopes: [["a", "b"], ["c"]]) never: Int @policy(policies: [["p"]]) }
          type T @authenticated { x: Level }
          enum Level @requiresScopes(scopes: [["d"]]) { HIGH }`,
      }),
    );
    expect(Object.fromEntries(authRules.fields)).toEqual({
      'Query.closed': {},
      'Query.scoped': { anyOf: [['a', 'b'], ['c']] },
      'Query.never': { anyOf: [] },
    });
    expect(Object.fromEntries(authRules.types)).toEqual({ T: {}, Level: { anyOf: [['d']] } });
  });

  test('reads auth directives that were renamed on import', () => {
    const sdl = compose({
      a: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [{ name: "@authenticated", as: "@signedIn" }])
        type Query { closed: Int @signedIn }`,
    });
    expect(sdl).toContain('@signedIn');
    expect([...loadSupergraph(sdl).authRules.fields.keys()]).toEqual(['Query.closed']);
  });

  test('with auth, cost and context is taken by the official gateway', async () => {
    disableApolloTelemetry();
    const sdl = compose({
      a: `${federation('@authenticated', '@requiresScopes', '@policy', '@cost', '@context', '@fromContext')}
        type Query { t: T @cost(weight: 3) }
        type T @key(fields: "id") @context(name: "c") @authenticated { id: ID! secret: String u: U }
        type U @key(fields: "id") { id: ID! x(s: String @fromContext(field: "$c { secret }")): Int @authenticated }`,
      b: `${federation()} type U @key(fields: "id") { id: ID! y: Int }`,
    });
    const { plannerSdl, schema } = loadSupergraph(sdl);
    const gateway = new ApolloGateway({ supergraphSdl: plannerSdl });
    await gateway.load();
    await gateway.stop();
    await expect(new ApolloGateway({ supergraphSdl: sdl }).load()).rejects.toThrow(/unsupported/);
    expect(schema.getDirective('authenticated')).toBeUndefined();
  });

  test('refuses a security feature that it does not know', () => {
    const sdl = compose({ a: `${federation()} type Query { a: Int }` }).replace(
      'schema\n',
      'schema @link(url: "https://example.org/firewall/v1.0", for: SECURITY)\n',
    );
    expect(() => loadSupergraph(sdl)).toThrow(/firewall/);
  });
});

describe('an event field', () => {
  test('is read with its stream, subject and subgraph', () => {
    const sdl = withEvents(
      'changed(id: ID!, note: String): Thing @event(stream: "S", subject: "a.{viewer.sub}.{args.id}.>", present: true)',
    );
    expect([...loadSupergraph(sdl).eventFields.values()]).toEqual([
      { name: 'changed', stream: 'S', subject: 'a.{viewer.sub}.{args.id}.>', present: true, subgraph: 'thing-events' },
    ]);
  });

  test.each([
    ['a.{args.other}', /neither literal/],
    ['a.b{args.id}', /neither literal/],
    ['a.>.b', /neither literal/],
    ['a..b', /neither literal/],
    ['a.*', /neither literal/],
    ['a.{args.note}', /may be null/],
  ])('with subject %s is refused', (subject, problem) => {
    const sdl = withEvents(`changed(id: ID!, note: String): Thing @event(stream: "S", subject: "${subject}")`);
    expect(() => loadSupergraph(sdl)).toThrow(problem);
  });

  test('elsewhere than on the subscription type is refused', () => {
    const sdl = withEvents('changed: Thing').replace('thing: Thing', 'thing: Thing @event(stream: "S", subject: "a")');
    expect(() => loadSupergraph(sdl)).toThrow(/no subscription field/);
  });
});
