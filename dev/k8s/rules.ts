// Checks what Kubernetes would accept but we do not: settings that our own processes refuse, addresses where nobody listens,
// containers with more rights than they need, an end that comes before the drain is over.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { routerEnv } from '../../router/config.ts';
import { ConfigurationError, readEnv } from '../../service/env.ts';
import { deliveryEnv } from '../../subgraphs/delivery/config.ts';
import { orderEnv } from '../../subgraphs/order/config.ts';
import { paymentEnv } from '../../subgraphs/payment/config.ts';
import { root } from '../folders.ts';
import { containersOf, dataOf, ofKind, podsOf, titleOf } from './manifests.ts';
import type { Container, Manifest, Pods, Problem } from './manifests.ts';

/** What each of our programs reads from its environment. */
const programs: Readonly<Record<string, z.ZodRawShape>> = {
  'router/main.ts': routerEnv,
  'subgraphs/order/main.ts': orderEnv,
  'subgraphs/payment/main.ts': paymentEnv,
  'subgraphs/delivery/main.ts': deliveryEnv,
};
/** Read by us beside the tables above, or only used to put others together. */
const otherVariables = /^(SUBGRAPH_URL_[A-Z]+|NATS_PASSWORD)$/;

/** Everything that breaks a rule of ours. `expected` are objects that the cluster has already. */
export function ruleProblems(manifests: readonly Manifest[], expected: readonly Manifest[] = []): Problem[] {
  const all = [...manifests, ...expected];
  return podsOf(manifests).flatMap((pods) => [
    ...podSecurityProblems(pods),
    ...containersOf(pods).flatMap((container) => {
      const environment = environmentOf(container, all);
      return [
        ...containerSecurityProblems(pods, container),
        ...imageProblems(pods, container),
        ...resourceProblems(pods, container),
        ...programProblems(pods, container, environment),
        ...addressProblems(pods, environment, manifests),
        ...endProblems(pods, container, environment),
      ];
    }),
  ]);
}

/** The environment as the container will see it. */
function environmentOf({ env = [], envFrom = [] }: Container, all: readonly Manifest[]): ReadonlyMap<string, string> {
  const data = (kind: 'ConfigMap' | 'Secret', name: string | undefined): ReadonlyMap<string, string> => {
    const found = ofKind(all, kind).find(({ metadata }) => metadata?.name === name);
    return found === undefined ? new Map() : dataOf(found);
  };
  const environment = new Map<string, string>();
  for (const { configMapRef, secretRef } of envFrom) {
    const from = configMapRef === undefined ? data('Secret', secretRef?.name) : data('ConfigMap', configMapRef.name);
    for (const [name, value] of from) environment.set(name, value);
  }
  for (const { name, value = '', valueFrom } of env) {
    const { configMapKeyRef, secretKeyRef } = valueFrom ?? {};
    const given =
      configMapKeyRef !== undefined
        ? data('ConfigMap', configMapKeyRef.name).get(configMapKeyRef.key)
        : secretKeyRef !== undefined
          ? data('Secret', secretKeyRef.name).get(secretKeyRef.key)
          : value.replaceAll(/\$\(([A-Za-z_]\w*)\)/g, (whole, used: string) => environment.get(used) ?? whole);
    environment.set(name, given ?? '');
  }
  return environment;
}

/** Our programs are given what they accept, and nothing that they do not know. */
function programProblems({ owner }: Pods, container: Container, environment: ReadonlyMap<string, string>): Problem[] {
  const script = container.args?.find((argument) => argument.endsWith('.ts'));
  if (script === undefined) return [];
  const title = titleOf(owner);
  const shape = programs[script];
  if (shape === undefined || !existsSync(join(root, script))) return [`${title}: there is no program ${script}`];
  // What comes by `envFrom` is the same for all programs, and not each needs all of it.
  const problems = (container.env ?? [])
    .filter(({ name }) => !(name in shape) && !otherVariables.test(name))
    .map(({ name }) => `${title}: ${script} does not read ${name}`);
  try {
    readEnv(shape, Object.fromEntries(environment));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(`${title}: ${error.message}`);
  }
  return problems;
}

/** Addresses inside the cluster have a Service with that port. */
function addressProblems(
  { owner }: Pods,
  environment: ReadonlyMap<string, string>,
  manifests: readonly Manifest[],
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of environment) {
    for (const [, host = '', port = ''] of value.matchAll(/[a-z-]+:\/\/(?:[^@/\s"]*@)?([a-z0-9.-]+):(\d+)/g)) {
      // `service`, or `pod.service` of a headless one; what has a domain is elsewhere.
      const labels = host.split('.');
      const service = labels.at(-1) ?? '';
      const elsewhere = labels.length > 2 || (labels.length === 2 && !/-\d+$/.test(labels[0] ?? ''));
      if (elsewhere) continue;
      const found = ofKind(manifests, 'Service').find(({ metadata }) => metadata?.name === service);
      if (!(found?.spec?.ports ?? []).some((one) => one.port === Number(port))) {
        problems.push(`${titleOf(owner)}: ${name} names ${host}:${port}, and there is no Service with that port`);
      }
    }
  }
  return problems;
}

function podSecurityProblems({ owner, spec }: Pods): Problem[] {
  const title = titleOf(owner);
  const { runAsNonRoot, runAsUser, seccompProfile } = spec.securityContext ?? {};
  return [
    ...(runAsNonRoot === true && runAsUser !== undefined && runAsUser > 0 ? [] : [`${title}: it may run as root`]),
    ...(seccompProfile?.type === 'RuntimeDefault' ? [] : [`${title}: no seccomp profile`]),
    ...(spec.automountServiceAccountToken === false ? [] : [`${title}: it is given a token of the Kubernetes API`]),
  ];
}

function containerSecurityProblems({ owner }: Pods, { name, securityContext = {} }: Container): Problem[] {
  const title = `${titleOf(owner)}, container ${name}`;
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = securityContext;
  return [
    ...(allowPrivilegeEscalation === false ? [] : [`${title}: it may gain privileges`]),
    ...(readOnlyRootFilesystem === true ? [] : [`${title}: its root file system can be written`]),
    ...(capabilities?.drop?.includes('ALL') === true ? [] : [`${title}: it keeps capabilities`]),
  ];
}

function imageProblems({ owner }: Pods, { name, image = '' }: Container): Problem[] {
  return /^[a-z0-9./-]+:(?!latest$)[\w.-]+$/.test(image)
    ? []
    : [`${titleOf(owner)}, container ${name}: the image "${image}" has no tag that stays`];
}

function resourceProblems({ owner }: Pods, { name, resources }: Container): Problem[] {
  const title = `${titleOf(owner)}, container ${name}`;
  const { requests = {}, limits = {} } = resources ?? {};
  const absent = [
    ...['cpu', 'memory'].filter((one) => requests[one] === undefined).map((one) => `${title}: requests no ${one}`),
    ...(limits['memory'] === undefined ? [`${title}: no limit of memory`] : []),
  ];
  const above = Object.keys(limits)
    .filter((one) => amountOf(requests[one] ?? 0) > amountOf(limits[one] ?? 0))
    .map((one) => `${title}: requests more ${one} than its limit`);
  return [...absent, ...above];
}

const units: Readonly<Record<string, number>> = {
  ...{ m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
};

/** A quantity as a number; NaN when it is none. */
function amountOf(quantity: string | number): number {
  const [, amount = '', unit = ''] = /^([\d.]+)([a-zA-Z]*)$/.exec(String(quantity)) ?? [];
  return Number(amount) * (units[unit] ?? Number.NaN);
}

/** A rolling update loses no request: the pod leaves the Services first, then drains, and is not killed before that is over. */
function endProblems(
  { owner, spec }: Pods,
  { lifecycle, args = [] }: Container,
  environment: ReadonlyMap<string, string>,
): Problem[] {
  if (owner.kind !== 'Deployment' || args[0] === undefined || programs[args[0]] === undefined) return [];
  const title = titleOf(owner);
  const [command, seconds] = lifecycle?.preStop?.exec?.command ?? [];
  if (command !== 'sleep' || !(Number(seconds) > 0))
    return [`${title}: nothing holds it back while it leaves the Services`];
  const needed = Number(seconds) + Number(environment.get('SHUTDOWN_TIMEOUT_MS') ?? 10_000) / 1000;
  const { terminationGracePeriodSeconds: given = 30 } = spec;
  const problems = given > needed ? [] : [`${title}: killed after ${given} s, while ending may take ${needed} s`];
  if (owner.spec?.strategy?.rollingUpdate?.maxUnavailable !== 0)
    problems.push(`${title}: a rollout takes pods away before new ones serve`);
  return problems;
}
