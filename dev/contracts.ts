// The contract between those who write events and those who read them: one example of each type, in schema/fixtures/.
import { readdirSync, readFileSync } from 'node:fs';
import type { EventData, EventType } from '../schema/events.ts';

/** A message as it stands in a stream. */
export interface Fixture<Type extends EventType = EventType> {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: EventData<Type>;
}

const folder = new URL('../schema/fixtures/', import.meta.url);

/** The types that have an example. */
export const fixtureTypes = (): string[] => readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

/** The example of a type: what its producer must produce, and its consumers must accept. */
export const readFixture = <Type extends EventType>(type: Type): Fixture<Type> =>
  JSON.parse(readFileSync(new URL(`${type}.json`, folder), 'utf8')) as Fixture<Type>;

/** What two messages of a type have in common, however much their ids, times, amounts and texts differ. */
export const contractOf = ({
  subject,
  headers,
  payload,
}: Pick<Fixture, 'subject' | 'headers'> & { payload: object }) => ({
  subject: shapeOf(subject),
  type: headers['ce-type'],
  source: headers['ce-source'],
  headers: Object.keys(headers)
    .filter((name) => name.startsWith('ce-') || name === 'content-type')
    .sort(),
  payload: shapeOf(payload),
});

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? formOf(value) : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
}

function formOf(text: string): string {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return 'time';
  return text
    .replaceAll(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, 'uuid')
    .replace(/^(?!.*uuid).*$/s, 'text');
}
