// The broker's accounts for tests: the file that Compose and Kubernetes use, with passwords filled in.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../dev/folders.ts';

/** The password of a user in tests. */
export const natsPassword = (user: string): string => `${user.toLowerCase()}-secret`;

/** Lines for the configuration file of a server. */
export async function accountsConfig(): Promise<string> {
  const text = await readFile(join(root, 'k8s/base/nats/accounts.conf'), 'utf8');
  return text.replaceAll(/\$NATS_([A-Z]+)_PASSWORD/g, (_, user: string) => natsPassword(user));
}
