// The manifests are in order, and each of the faults seeded here is caught by its own message.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { expectedBy, manifestProblems, overlays } from './k8s-check.ts';
import { kubectlProblem, parseManifests, render } from './k8s/manifests.ts';
import type { Manifest } from './k8s/manifests.ts';

const problem = kubectlProblem();
if (problem !== undefined) process.stderr.write(`\n${problem}: the Kubernetes manifests are NOT tested\n`);

interface Fault {
  readonly name: string;
  /** In which document: a line that only it has. */
  readonly within: string;
  readonly from: string | RegExp;
  readonly to: string;
  readonly caught: RegExp;
}

const faults: readonly Fault[] = [
  {
    name: 'a misspelled field',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: order',
    from: 'readinessProbe:',
    to: 'readynessProbe:',
    caught: /Deployment\/order: at "readynessProbe": .*does not exist/,
  },
  {
    name: 'a number where text must be',
    within: 'kind: ConfigMap\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: order-cm',
    from: 'text: ORDERED',
    to: 'text: 1',
    caught: /ConfigMap\/order-cm.*not assignable to type 'string'/,
  },
  {
    name: 'a quantity that is none',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: payment',
    from: 'memory: 512Mi',
    to: 'memory: 512 MiB',
    caught: /Deployment\/payment.*memory/,
  },
  {
    name: 'an API version that is gone',
    within:
      'kind: HorizontalPodAutoscaler\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: payment',
    from: 'apiVersion: autoscaling/v2',
    to: 'apiVersion: autoscaling/v2beta2',
    caught: /HorizontalPodAutoscaler\/payment: apiVersion is autoscaling\/v2beta2/,
  },
  {
    name: 'a Service that takes no pod',
    within: 'kind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/name: order\n',
    from: /(selector:\n.*component: process\n {4}app.kubernetes.io\/name: )order/,
    to: '$1orders',
    caught: /Service\/order: its selector takes no pod/,
  },
  {
    name: 'a Service to a port that nobody opens',
    within: 'kind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/name: router',
    from: 'targetPort: http',
    to: 'targetPort: graphql',
    caught: /Service\/router: the pods have no port graphql/,
  },
  {
    name: 'a ConfigMap key that is not there',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: order',
    from: 'key: text',
    to: 'key: status',
    caught: /Deployment\/order: ConfigMap\/order-cm has no key status/,
  },
  {
    name: 'a Secret that is not there',
    within: 'kind: Job\nmetadata:\n  labels:\n    app.kubernetes.io/name: delivery',
    from: /name: delivery-database.*/,
    to: 'name: delivery-db',
    caught: /Job\/delivery-migrate: there is no Secret\/delivery-db/,
  },
  {
    name: 'scaling of something that is not there',
    within:
      'kind: HorizontalPodAutoscaler\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: router',
    from: 'kind: Deployment\n    name: router',
    to: 'kind: Deployment\n    name: gateway',
    caught: /HorizontalPodAutoscaler\/router: there is no Deployment\/gateway/,
  },
  {
    name: 'scaling that each apply undoes',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: payment',
    from: 'revisionHistoryLimit: 5',
    to: 'revisionHistoryLimit: 5\n  replicas: 2',
    caught: /HorizontalPodAutoscaler\/payment: Deployment\/payment fixes its replicas/,
  },
  {
    name: 'a disruption budget for no pod',
    within: 'kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: nats',
    from: 'app.kubernetes.io/name: nats',
    to: 'app.kubernetes.io/name: broker',
    caught: /PodDisruptionBudget\/nats: its selector takes no pod/,
  },
  {
    name: 'a network policy whose peer is nobody',
    within: 'kind: NetworkPolicy\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: subgraphs',
    from: 'app.kubernetes.io/name: router',
    to: 'app.kubernetes.io/name: gateway',
    caught: /NetworkPolicy\/subgraphs: no pod fits the peer/,
  },
  {
    name: 'a selector that misses its own pods',
    within: 'kind: StatefulSet\nmetadata:\n  labels:\n    app.kubernetes.io/name: nats',
    from: /(selector:\n {4}matchLabels:\n {6}app.kubernetes.io\/name: )nats/,
    to: '$1broker',
    caught: /StatefulSet\/nats: its selector does not take the labels of its own pods/,
  },
  {
    name: 'a probe of a port that nobody opens',
    within: 'kind: StatefulSet\nmetadata:\n  labels:\n    app.kubernetes.io/name: nats',
    from: /(livenessProbe:[^]*?port: )monitor/,
    to: '$1health',
    caught: /StatefulSet\/nats: a probe of nats asks port health/,
  },
  {
    name: 'a volume that is not there',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: delivery',
    from: /(mountPath: \/tmp\n\s+name: )tmp/,
    to: '$1scratch',
    caught: /Deployment\/delivery: there is no volume scratch/,
  },
  {
    name: 'a setting that our process refuses',
    within: 'kind: ConfigMap\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: baedal\n  name: order-cm',
    from: 'text: ORDERED',
    to: 'text: PLACED',
    caught: /Deployment\/order: .*ORDER_INITIAL_STATUS must be ORDERED or ON_HOLD/s,
  },
  {
    name: 'an address where nobody listens',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: router',
    from: 'http://payment:4002/graphql',
    to: 'http://payments:4002/graphql',
    caught: /Deployment\/router: SUBGRAPH_URL_PAYMENT names payments:4002/,
  },
  {
    name: 'a kill before the drain is over',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: order',
    from: 'terminationGracePeriodSeconds: 35',
    to: 'terminationGracePeriodSeconds: 30',
    caught: /Deployment\/order: killed after 30 s, while ending may take 30 s/,
  },
  {
    name: 'a root file system that can be written',
    within: 'kind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/name: payment',
    from: 'readOnlyRootFilesystem: true',
    to: 'readOnlyRootFilesystem: false',
    caught: /Deployment\/payment, container main: its root file system can be written/,
  },
  {
    name: 'an image without a tag',
    within: 'kind: StatefulSet\nmetadata:\n  labels:\n    app.kubernetes.io/name: nats',
    from: /image: nats:.*/,
    to: 'image: nats',
    caught: /StatefulSet\/nats, container nats: the image "nats" has no tag that stays/,
  },
];

// Everywhere else `npm test` has to pass too; a build server without kubectl fails in `npm run check`, which runs the same check.
(problem === undefined ? describe : describe.skip)('the Kubernetes manifests', () => {
  const rendered = new Map<string, string>();
  beforeAll(async () => {
    for (const overlay of overlays) rendered.set(overlay, await render(`k8s/overlays/${overlay}`));
  });

  test.each(overlays)('%s is in order', async (overlay) => {
    const manifests = parseManifests(rendered.get(overlay) ?? '');
    expect(manifests.length).toBeGreaterThan(30);
    expect(await manifestProblems(manifests, await expectedBy(overlay))).toEqual([]);
  });

  test.each(faults)('$name is caught', async ({ within, from, to, caught }) => {
    const problems = await manifestProblems(
      seeded(rendered.get('production') ?? '', within, from, to),
      await expectedBy('production'),
    );
    expect(problems[0]).toMatch(caught);
  });
});

/** The manifests with one change in one document. */
function seeded(text: string, within: string, from: string | RegExp, to: string): Manifest[] {
  const documents = text.split(/^---\n/m);
  const index = documents.findIndex((document) => document.includes(within));
  const found = documents[index];
  if (found === undefined) throw new Error(`no document has ${within}`);
  const changed = found.replace(from, to);
  if (changed === found) throw new Error(`${String(from)} does not stand in ${within}`);
  return parseManifests(documents.with(index, changed).join('---\n'));
}
