// `npm run k8s:check [-- overlay …]`: renders each overlay with kubectl and checks types, values, references and our own rules.
import { kubectlProblem, parseManifests, readExpected, render } from './k8s/manifests.ts';
import type { Manifest, Problem } from './k8s/manifests.ts';
import { referenceProblems } from './k8s/references.ts';
import { ruleProblems } from './k8s/rules.ts';
import { typeProblems } from './k8s/types.ts';

/** Every overlay that is meant to be applied. */
export const overlays = ['local', 'production'] as const;

/** The objects that a cluster has before the overlay is applied. */
export const expectedBy = (overlay: string): Promise<Manifest[]> =>
  readExpected(`k8s/overlays/${overlay}/secrets.example.yaml`);

/** Everything wrong with the manifests of one installation. Where shapes are wrong, what they refer to is not looked at. */
export async function manifestProblems(
  manifests: readonly Manifest[],
  expected: readonly Manifest[],
): Promise<Problem[]> {
  const problems = await typeProblems([...manifests, ...expected]);
  if (problems.length > 0) return problems;
  return [...referenceProblems(manifests, expected), ...ruleProblems(manifests, expected)];
}

if (import.meta.main) {
  const missing = kubectlProblem();
  if (missing === undefined) {
    for (const overlay of process.argv.length > 2 ? process.argv.slice(2) : overlays) await check(overlay);
  } else {
    // A workstation without it is told; a build server that cannot check has not checked.
    console.log(`${missing}: the Kubernetes manifests were NOT checked`);
    process.exitCode = process.env['CI'] ? 1 : 0;
  }
}

async function check(overlay: string): Promise<void> {
  const manifests = parseManifests(await render(`k8s/overlays/${overlay}`));
  const problems = await manifestProblems(manifests, await expectedBy(overlay));
  for (const problem of problems) console.log(`${overlay}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`${overlay}: ${manifests.length} manifests are in order`);
}
