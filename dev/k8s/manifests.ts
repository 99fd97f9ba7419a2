// Kubernetes manifests as data: read from YAML, and the questions that several checks ask of them.
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IJob } from 'kubernetes-models/batch/v1/Job';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { INamespace } from 'kubernetes-models/v1/Namespace';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import type { IService } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';
import { root } from '../folders.ts';

/** Every kind that the manifests may use; dev/k8s/types.ts holds the same list with its API versions. */
export type Manifest =
  | IConfigMap
  | IDeployment
  | IHorizontalPodAutoscaler
  | IJob
  | INamespace
  | INetworkPolicy
  | IPodDisruptionBudget
  | ISecret
  | IService
  | IStatefulSet;
export type Workload = IDeployment | IJob | IStatefulSet;
export type Labels = Readonly<Record<string, string>>;
export type PodSpec = NonNullable<NonNullable<NonNullable<IDeployment['spec']>['template']>['spec']>;
export type Container = PodSpec['containers'][number];
/** What is wrong, for a person: the manifest first. */
export type Problem = string;

/** The pods that a workload makes. */
export interface Pods {
  readonly owner: Workload;
  readonly labels: Labels;
  readonly spec: PodSpec;
}

/** `Deployment/order`, for messages. */
export const titleOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata?.name ?? '(no name)'}`;

/** Reads a stream of documents. Throws on YAML that is none; duplicate keys are errors too. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      const problem = document.errors[0] ?? document.warnings[0];
      if (problem !== undefined) throw new Error(problem.message);
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null)
    .map(unfolded);
}

/** kustomize folds long base64 into lines; the API server reads over the breaks. */
function unfolded(manifest: Manifest): Manifest {
  if (manifest.kind !== 'Secret' || manifest.data === undefined) return manifest;
  const entries = Object.entries(manifest.data).map(([key, value]) => [key, value.replaceAll(/\s/g, '')]);
  return { ...manifest, data: Object.fromEntries(entries) as Record<string, string> };
}

/** Why the manifests cannot be rendered here, or undefined. The overlays need kustomize 5, which came with kubectl 1.27. */
export function kubectlProblem(): string | undefined {
  const { status, stdout } = spawnSync('kubectl', ['version', '--client', '--output=json'], { encoding: 'utf8' });
  if (status !== 0) return 'kubectl is not on PATH';
  const isNewEnough = /"kustomizeVersion":\s*"v(?:[5-9]|\d\d)/.test(stdout);
  return isNewEnough ? undefined : 'kubectl is older than 1.27';
}

/** What `kubectl kustomize` makes of a folder, as text. Throws ENOENT when there is no kubectl. */
export async function render(folder: string): Promise<string> {
  const limit = 64 * 1024 * 1024;
  return (await promisify(execFile)('kubectl', ['kustomize', join(root, folder)], { maxBuffer: limit })).stdout;
}

/** The manifests of a file of the checkout that stand for what a cluster already has; none when there is no such file. */
export async function readExpected(file: string): Promise<Manifest[]> {
  try {
    return parseManifests(await readFile(join(root, file), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export const ofKind = <Kind extends Manifest['kind']>(
  manifests: readonly Manifest[],
  kind: Kind,
): Extract<Manifest, { kind: Kind }>[] =>
  manifests.filter((manifest): manifest is Extract<Manifest, { kind: Kind }> => manifest.kind === kind);

export const workloads = (manifests: readonly Manifest[]): Workload[] => [
  ...ofKind(manifests, 'Deployment'),
  ...ofKind(manifests, 'StatefulSet'),
  ...ofKind(manifests, 'Job'),
];

export const podsOf = (manifests: readonly Manifest[]): Pods[] =>
  workloads(manifests).flatMap((owner) => {
    const template = owner.spec?.template;
    return template?.spec === undefined
      ? []
      : [{ owner, labels: template.metadata?.labels ?? {}, spec: template.spec }];
  });

export const containersOf = ({ spec }: Pods): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

/** Whether labels satisfy a selector; an empty selector takes everything. */
export function selects(
  selector: {
    readonly matchLabels?: Labels;
    readonly matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[];
  },
  labels: Labels,
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      return operator === 'Exists' ? value !== undefined : operator === 'DoesNotExist' && value === undefined;
    })
  );
}

/** The keys and values of a ConfigMap or Secret. */
export function dataOf(manifest: IConfigMap | ISecret): ReadonlyMap<string, string> {
  const entries = Object.entries(manifest.data ?? {});
  if (manifest.kind === 'ConfigMap') return new Map(entries);
  const decoded = entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()] as const);
  return new Map([...decoded, ...Object.entries(manifest.stringData ?? {})]);
}
