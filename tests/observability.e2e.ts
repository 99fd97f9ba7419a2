// Dashboards and alerts ask only for what live processes export, down to labels and their values; each alert has its chapter in the runbook.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../dev/folders.ts';
import { processNames } from '../dev/stack-addresses.ts';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';
import { errorTable } from '../service/errors.ts';
import { patient, signIn } from './client.ts';
import type { Watch } from './client.ts';
import { resultLabels, selectorsIn } from './promql.ts';

const folder = join(root, 'k8s/observability');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) process.stderr.write('\npromtool is not on PATH: alert rules are NOT checked by Prometheus itself\n');

interface OrderEvent {
  readonly status: string;
}

let stack: Stack;
let watch: Watch<OrderEvent>;
let series: readonly Series[];

beforeAll(async () => {
  stack = await startStack({
    dataDir: await mkdtemp(join(tmpdir(), 'baedal-observability-')),
    disposable: true,
    environment: { router: patient },
  });
  // One order with a watcher, so that what is counted has been counted.
  const alice = await signIn(stack, 'alice');
  const { placeOrder } = await alice.get<{ placeOrder: { order: { id: string } } }>(
    'mutation Place ($input: PlaceOrderInput!) { placeOrder(input: $input) { order { id } } }',
    { input: { items: [{ menuId: '0190a000-0000-7000-8000-000000000001', quantity: 1 }] } },
  );
  watch = alice.watch<OrderEvent>(
    'subscription ($id: ID!) { orderStatusChanged(orderId: $id) { status order { payment { status } } } }',
    {
      id: placeOrder.order.id,
    },
  );
  await watch.until(({ status }) => status === 'DELIVERING');
  const pages = await Promise.all(
    processNames.map(async (name) => (await fetch(`${stack.processes[name].url}/metrics`)).text()),
  );
  series = [...pages.flatMap(seriesOf), { metric: 'up', labels: scraped }];
});
afterAll(async () => {
  await watch.stop();
  await stack.stop();
});

/** One line of a scrape. */
interface Series {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}
/** What Prometheus adds to each. */
const scraped = { job: 'baedal', instance: '' };

const seriesOf = (page: string): Series[] =>
  [...page.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)].map(([, metric = '', labels = '']) => ({
    metric,
    labels: {
      ...scraped,
      ...Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])),
    },
  }));

/** Something that shows the result of an expression, with a text that names labels of it. */
interface Query {
  readonly where: string;
  readonly expression: string;
  readonly labelsShown: readonly string[];
}

/** Everything that a query asks for and live processes do not have. */
function problemsOf({ where, expression, labelsShown }: Query): string[] {
  const selectors = selectorsIn(expression);
  const problems = selectors.flatMap(({ metric, matchers, groupedBy }) => {
    const found = series.filter((one) => one.metric === metric);
    if (found.length === 0) return [`${where}: nobody exports ${metric}`];
    const absent = [...matchers.map(({ label }) => label), ...groupedBy].filter(
      (label) => !found.every(({ labels }) => label in labels),
    );
    const impossible = matchers.flatMap(({ label, values }) =>
      values
        .filter((value) => !(value in errorTable) && !found.some(({ labels }) => labels[label] === value))
        .map((value) => `${where}: no ${metric} has ${label}="${value}"`),
    );
    return [...absent.map((label) => `${where}: ${metric} has no label ${label}`), ...impossible];
  });
  const labels =
    resultLabels(expression) ??
    selectors.flatMap(({ metric }) => Object.keys(series.find((one) => one.metric === metric)?.labels ?? {}));
  return [
    ...(selectors.length === 0 ? [`${where}: it asks for nothing`] : []),
    ...problems,
    ...labelsShown
      .filter((label) => !labels.includes(label))
      .map((label) => `${where}: its result has no label ${label}`),
  ];
}

describe('the dashboards', () => {
  interface Dashboard {
    readonly uid: string;
    readonly title: string;
    readonly panels: readonly {
      readonly title: string;
      readonly datasource: { readonly uid: string };
      readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
    }[];
  }
  const readDashboards = async (): Promise<Dashboard[]> =>
    Promise.all(
      (await readdir(join(folder, 'dashboards'))).map(
        async (file) => JSON.parse(await readFile(join(folder, 'dashboards', file), 'utf8')) as Dashboard,
      ),
    );

  test('ask for metrics, labels and values that are exported, and show labels that their results have', async () => {
    const queries = (await readDashboards()).flatMap(({ title, panels }) =>
      panels.flatMap((panel) =>
        panel.targets.map(({ expr, legendFormat }) => ({
          where: `${title}: ${panel.title}`,
          expression: expr,
          labelsShown: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
        })),
      ),
    );
    expect(queries.length).toBeGreaterThan(30);
    expect(queries.flatMap(problemsOf)).toEqual([]);
  });

  test('have an id of their own, and panels of the source that is provisioned', async () => {
    const sources = await readFile(join(folder, 'grafana-sources.yml'), 'utf8');
    const dashboards = await readDashboards();
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    for (const { panels } of dashboards) {
      for (const { datasource, targets } of panels) {
        expect(sources).toContain(`uid: ${datasource.uid},`);
        expect(targets.length).toBeGreaterThan(0);
      }
    }
  });
});

describe('the alerts', () => {
  interface Rule {
    readonly alert: string;
    readonly expr: string;
    readonly annotations: { readonly summary: string; readonly runbook: string };
  }
  const readRules = async (): Promise<Rule[]> =>
    (
      parse(await readFile(join(folder, 'alerts.yml'), 'utf8')) as { groups: readonly { rules: readonly Rule[] }[] }
    ).groups.flatMap(({ rules }) => rules);

  test('ask for metrics, labels and values that are exported, and name labels that their results have', async () => {
    const queries = (await readRules()).map(({ alert, expr, annotations }) => ({
      where: alert,
      expression: expr,
      labelsShown: [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label),
    }));
    expect(queries.length).toBeGreaterThan(10);
    expect(queries.flatMap(problemsOf)).toEqual([]);
  });

  test('have a chapter each in the runbook, and every chapter its alert', async () => {
    const rules = await readRules();
    const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
    const chapters = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, title]) => title);
    expect(rules.map(({ alert }) => alert).toSorted()).toEqual(chapters.toSorted());
    for (const { alert, annotations } of rules)
      expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
  });

  (hasPromtool ? test : test.skip)('are rules that Prometheus takes, in a configuration that it takes', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', join(folder, 'prometheus.yml')], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  });
});

test.each<[string, Omit<Query, 'where'>, string]>([
  ['a metric', { expression: 'rate(no_such_metric[5m])', labelsShown: [] }, 'nobody exports no_such_metric'],
  [
    'a label to group by',
    {
      expression: 'histogram_quantile(0.9, sum by (le, nobody) (rate(consumer_duration_seconds_bucket[5m]))) > 1',
      labelsShown: [],
    },
    'consumer_duration_seconds_bucket has no label nobody',
  ],
  [
    'a value of a label',
    { expression: 'sum(database_connections{state="lost"}) / sum(rate(outbox_published_total[1m]))', labelsShown: [] },
    'no database_connections has state="lost"',
  ],
  [
    'a label of the result',
    { expression: 'sum by (service) (outbox_pending)', labelsShown: ['service', 'instance'] },
    'its result has no label instance',
  ],
])('%s that is not there is noticed', (_what, query, problem) => {
  expect(problemsOf({ where: 'here', ...query })).toEqual([`here: ${problem}`]);
});
