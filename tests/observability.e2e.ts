// Dashboards and alerts ask only for what the processes really export, and each alert has its chapter in the runbook.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../dev/folders.ts';
import { processNames } from '../dev/stack-addresses.ts';
import { startStack } from '../dev/stack.ts';
import type { Stack } from '../dev/stack.ts';

const folder = join(root, 'k8s/observability');
let stack: Stack;
/** Every metric of every process. */
let exported: ReadonlySet<string>;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'baedal-observability-'));
  stack = await startStack({ dataDir, disposable: true });
  const pages = await Promise.all(
    processNames.map(async (name) => (await fetch(`${stack.processes[name].url}/metrics`)).text()),
  );
  exported = metricsOf(pages.join('\n'));
}, 90_000);
afterAll(() => stack.stop(), 30_000);

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly {
    readonly title: string;
    readonly datasource: { readonly uid: string };
    readonly targets: readonly { readonly expr: string }[];
  }[];
}
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: { readonly runbook: string };
    }[];
  }[];
}

const readDashboards = async (): Promise<Dashboard[]> =>
  Promise.all(
    (await readdir(join(folder, 'dashboards'))).map(
      async (file) => JSON.parse(await readFile(join(folder, 'dashboards', file), 'utf8')) as Dashboard,
    ),
  );
const readRules = async () =>
  (parse(await readFile(join(folder, 'alerts.yml'), 'utf8')) as Rules).groups.flatMap(({ rules }) => rules);

/** Metrics of a Prometheus page, also those without a series yet. */
const metricsOf = (page: string): Set<string> =>
  new Set([...page.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name));

/** The metrics that an expression asks for: words that are no function, keyword, label or unit. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/\b[a-z_][a-z0-9_]*\b(?!\s*\()/gi)].map(([word]) => word);
}

const isExported = (metric: string): boolean =>
  metric === 'up' || exported.has(metric) || exported.has(metric.replace(/_(bucket|count|sum)$/, ''));

test('every metric of a dashboard is exported', async () => {
  const dashboards = await readDashboards();
  expect(dashboards.length).toBeGreaterThan(0);
  const asked = dashboards.flatMap(({ title, panels }) =>
    panels.flatMap((panel) =>
      panel.targets.flatMap(({ expr }) =>
        metricsIn(expr).map((metric) => ({ where: `${title}: ${panel.title}`, metric })),
      ),
    ),
  );
  expect(asked.length).toBeGreaterThan(30);
  expect(asked.filter(({ metric }) => !isExported(metric))).toEqual([]);
});

test('every dashboard has an id of its own, and panels of the source that is provisioned', async () => {
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

test('every metric of an alert is exported', async () => {
  const rules = await readRules();
  const asked = rules.flatMap(({ alert, expr }) => metricsIn(expr).map((metric) => ({ where: alert, metric })));
  expect(asked.length).toBeGreaterThanOrEqual(rules.length);
  expect(asked.filter(({ metric }) => !isExported(metric))).toEqual([]);
});

test('every alert has its chapter in the runbook, and every chapter its alert', async () => {
  const rules = await readRules();
  const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8');
  const chapters = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, title]) => title);
  expect(rules.map(({ alert }) => alert).toSorted()).toEqual(chapters.toSorted());
  for (const { alert, annotations } of rules)
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
});

test('a metric that nobody exports would be noticed', () => {
  expect(metricsIn('histogram_quantile(0.9, sum by (le) (rate(no_such_metric_bucket{a="b"}[5m]))) > 1')).toEqual([
    'no_such_metric_bucket',
  ]);
  expect(isExported('no_such_metric_bucket')).toBe(false);
});
