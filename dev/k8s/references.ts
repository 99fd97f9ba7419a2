// Checks that what manifests name exists: selectors, ports, ConfigMaps, Secrets and their keys, volumes, scaling targets.
import type { IIoK8sApiNetworkingV1NetworkPolicyPeer } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer';
import { containersOf, dataOf, ofKind, podsOf, selects, titleOf, workloads } from './manifests.ts';
import type { Container, Manifest, Pods, Problem } from './manifests.ts';

/** Everything that is named and not there. `expected` are objects that the cluster has already, such as production's Secrets. */
export function referenceProblems(manifests: readonly Manifest[], expected: readonly Manifest[] = []): Problem[] {
  const all = [...manifests, ...expected];
  return [
    ...nameProblems(manifests),
    ...selectorProblems(manifests),
    ...serviceProblems(manifests),
    ...scalingProblems(manifests),
    ...networkProblems(manifests),
    ...podsOf(manifests).flatMap((pods) => [
      ...volumeProblems(pods, all),
      ...containersOf(pods).flatMap((container) => [
        ...environmentProblems(pods, container, all),
        ...probeProblems(pods, container),
      ]),
    ]),
  ];
}

function nameProblems(manifests: readonly Manifest[]): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const namespaces = new Set(ofKind(manifests, 'Namespace').map(({ metadata }) => metadata?.name));
  for (const manifest of manifests) {
    const { name = '', namespace } = manifest.metadata ?? {};
    const title = titleOf(manifest);
    if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) problems.push(`${title}: the name is no DNS name`);
    if (seen.has(title)) problems.push(`${title}: there are two`);
    seen.add(title);
    if (manifest.kind === 'Namespace' ? namespace !== undefined : !namespaces.has(namespace)) {
      problems.push(`${title}: it is in namespace ${namespace ?? '(none)'}, not in ${[...namespaces].join(', ')}`);
    }
  }
  return problems;
}

function selectorProblems(manifests: readonly Manifest[]): Problem[] {
  return workloads(manifests).flatMap((workload) => {
    if (workload.kind === 'Job') return [];
    const labels = workload.spec?.template.metadata?.labels ?? {};
    if (selects(workload.spec?.selector ?? {}, labels)) return [];
    return [`${titleOf(workload)}: its selector does not take the labels of its own pods`];
  });
}

function serviceProblems(manifests: readonly Manifest[]): Problem[] {
  const pods = podsOf(manifests);
  const problems = ofKind(manifests, 'Service').flatMap((service) => {
    const { selector = {}, ports = [] } = service.spec ?? {};
    const behind = pods.filter(({ labels }) => selects({ matchLabels: selector }, labels));
    if (behind.length === 0) return [`${titleOf(service)}: its selector takes no pod`];
    return ports
      .filter(({ port, targetPort }) => !behind.every((one) => hasPort(one, targetPort ?? port)))
      .map(({ port, targetPort }) => `${titleOf(service)}: the pods have no port ${String(targetPort ?? port)}`);
  });
  const headless = ofKind(manifests, 'Service').filter(({ spec }) => spec?.clusterIP === 'None');
  const homeless = ofKind(manifests, 'StatefulSet').filter(
    ({ spec }) => !headless.some(({ metadata }) => metadata?.name === spec?.serviceName),
  );
  return [
    ...problems,
    ...homeless.map((one) => `${titleOf(one)}: there is no headless Service ${one.spec?.serviceName ?? ''}`),
  ];
}

function scalingProblems(manifests: readonly Manifest[]): Problem[] {
  const problems: Problem[] = [];
  for (const scaler of ofKind(manifests, 'HorizontalPodAutoscaler')) {
    const { scaleTargetRef, minReplicas = 1, maxReplicas, metrics = [] } = scaler.spec;
    const target = workloads(manifests).find(
      ({ kind, apiVersion, metadata }) =>
        kind === scaleTargetRef.kind &&
        apiVersion === scaleTargetRef.apiVersion &&
        metadata?.name === scaleTargetRef.name,
    );
    const title = titleOf(scaler);
    if (minReplicas > maxReplicas) problems.push(`${title}: at least ${minReplicas}, at most ${maxReplicas}`);
    if (target === undefined) {
      problems.push(`${title}: there is no ${scaleTargetRef.kind}/${scaleTargetRef.name} to scale`);
      continue;
    }
    if (target.kind === 'Deployment' && target.spec?.replicas !== undefined) {
      problems.push(`${title}: ${titleOf(target)} fixes its replicas, and each apply would undo the scaling`);
    }
    for (const { resource } of metrics) {
      const containers = target.spec?.template.spec?.containers ?? [];
      if (
        resource !== undefined &&
        containers.some(({ resources }) => resources?.requests?.[resource.name] === undefined)
      ) {
        problems.push(
          `${title}: ${titleOf(target)} requests no ${resource.name}, so there is nothing to measure against`,
        );
      }
    }
  }
  const pods = podsOf(manifests);
  for (const budget of ofKind(manifests, 'PodDisruptionBudget')) {
    if (!pods.some(({ labels }) => selects(budget.spec?.selector ?? {}, labels))) {
      problems.push(`${titleOf(budget)}: its selector takes no pod`);
    }
  }
  return problems;
}

function networkProblems(manifests: readonly Manifest[]): Problem[] {
  const pods = podsOf(manifests);
  return ofKind(manifests, 'NetworkPolicy').flatMap((policy) => {
    const title = titleOf(policy);
    const { podSelector = {}, ingress = [], egress = [] } = policy.spec ?? {};
    const subjects = pods.filter(({ labels }) => selects(podSelector, labels));
    if (subjects.length === 0) return [`${title}: its selector takes no pod`];
    const peerProblems = [...ingress.flatMap((rule) => rule.from ?? []), ...egress.flatMap((rule) => rule.to ?? [])]
      .filter((peer) => isHere(peer) && peered(pods, peer).length === 0)
      .map(({ podSelector: peer }) => `${title}: no pod fits the peer ${JSON.stringify(peer)}`);
    const ingressPorts = ingress.flatMap(({ ports = [] }) => ports.map(({ port }) => ({ port, on: subjects })));
    const egressPorts = egress.flatMap(({ ports = [], to = [] }) =>
      ports.map(({ port, endPort }) => ({
        port,
        endPort,
        on: to.filter(isHere).flatMap((peer) => peered(pods, peer)),
      })),
    );
    const portProblems = [...ingressPorts, ...egressPorts.filter(({ endPort }) => endPort === undefined)]
      .filter(({ port, on }) => port !== undefined && on.length > 0 && !on.some((one) => hasPort(one, port)))
      .map(({ port }) => `${title}: no pod it is about has port ${String(port)}`);
    return [...peerProblems, ...portProblems];
  });
}

/** Whether a peer is meant to be among these pods. */
const isHere = ({ podSelector, namespaceSelector }: IIoK8sApiNetworkingV1NetworkPolicyPeer): boolean =>
  podSelector !== undefined && namespaceSelector === undefined;
const peered = (pods: readonly Pods[], { podSelector = {} }: IIoK8sApiNetworkingV1NetworkPolicyPeer): Pods[] =>
  pods.filter(({ labels }) => selects(podSelector, labels));

const hasPort = (pods: Pods, port: string | number): boolean =>
  containersOf(pods)
    .flatMap(({ ports = [] }) => ports)
    .some(({ name, containerPort }) => name === port || containerPort === port);

function volumeProblems(pods: Pods, all: readonly Manifest[]): Problem[] {
  const title = titleOf(pods.owner);
  const { volumes = [] } = pods.spec;
  const claims = pods.owner.kind === 'StatefulSet' ? (pods.owner.spec?.volumeClaimTemplates ?? []) : [];
  const names = [...volumes.map(({ name }) => name), ...claims.map(({ metadata }) => metadata?.name ?? '')];
  const mounted = new Set(containersOf(pods).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
  return [
    ...[...mounted].filter((name) => !names.includes(name)).map((name) => `${title}: there is no volume ${name}`),
    ...names.filter((name) => !mounted.has(name)).map((name) => `${title}: nothing mounts the volume ${name}`),
    ...volumes.flatMap(({ configMap, secret }) => [
      ...(configMap === undefined ? [] : missing(all, title, 'ConfigMap', configMap.name)),
      ...(secret === undefined ? [] : missing(all, title, 'Secret', secret.secretName)),
    ]),
  ];
}

function environmentProblems({ owner }: Pods, container: Container, all: readonly Manifest[]): Problem[] {
  const title = titleOf(owner);
  const problems: Problem[] = [];
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) problems.push(...missing(all, title, 'ConfigMap', configMapRef.name));
    if (secretRef !== undefined) problems.push(...missing(all, title, 'Secret', secretRef.name));
  }
  const known = new Set<string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (known.has(name)) problems.push(`${title}: ${name} is set twice`);
    const { configMapKeyRef, secretKeyRef } = valueFrom ?? {};
    if (configMapKeyRef !== undefined)
      problems.push(...missing(all, title, 'ConfigMap', configMapKeyRef.name, configMapKeyRef.key));
    if (secretKeyRef !== undefined)
      problems.push(...missing(all, title, 'Secret', secretKeyRef.name, secretKeyRef.key));
    for (const [, used = ''] of (value ?? '').matchAll(/\$\(([A-Za-z_]\w*)\)/g)) {
      if (!known.has(used)) problems.push(`${title}: ${name} uses $(${used}), which is not set before it`);
    }
    known.add(name);
  }
  return problems;
}

function missing(
  all: readonly Manifest[],
  title: string,
  kind: 'ConfigMap' | 'Secret',
  name: string | undefined,
  key?: string,
): Problem[] {
  const found = ofKind(all, kind).find(({ metadata }) => metadata?.name === name);
  if (found === undefined) return [`${title}: there is no ${kind}/${name ?? '(no name)'}`];
  return key === undefined || dataOf(found).has(key) ? [] : [`${title}: ${titleOf(found)} has no key ${key}`];
}

function probeProblems(pods: Pods, { name, livenessProbe, readinessProbe, startupProbe }: Container): Problem[] {
  return [livenessProbe, readinessProbe, startupProbe]
    .map((probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port)
    .filter((port) => port !== undefined && !hasPort(pods, port))
    .map((port) => `${titleOf(pods.owner)}: a probe of ${name} asks port ${String(port)}, which is not there`);
}
