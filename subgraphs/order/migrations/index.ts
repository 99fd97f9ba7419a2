// The order database's migrations, oldest first. Applied ones are never changed.
import { Migration20261122000000 } from './20261122000000-initial.ts';
import { Migration20261125000000 } from './20261125000000-cancel-refusal.ts';

export const migrations = [
  { name: '20261122000000-initial', class: Migration20261122000000 },
  { name: '20261125000000-cancel-refusal', class: Migration20261125000000 },
];
