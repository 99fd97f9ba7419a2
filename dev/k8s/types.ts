// Checks manifests against the Kubernetes API: TypeScript finds unknown, misspelled and missing fields, the validators wrong values.
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../folders.ts';
import { titleOf } from './manifests.ts';
import type { Manifest, Problem } from './manifests.ts';

/** The API versions that are allowed, by kind. All are stable in Kubernetes 1.27 and later. */
const apiVersions: Readonly<Record<Manifest['kind'], string>> = {
  ConfigMap: 'v1',
  Deployment: 'apps/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  Job: 'batch/v1',
  Namespace: 'v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  PodDisruptionBudget: 'policy/v1',
  Secret: 'v1',
  Service: 'v1',
  StatefulSet: 'apps/v1',
};

/** Everything wrong with the shape and the values of manifests. */
export async function typeProblems(manifests: readonly Manifest[]): Promise<Problem[]> {
  const versions = apiVersionProblems(manifests);
  const known = manifests.filter(({ kind, apiVersion }) => apiVersions[kind] === apiVersion);
  return [...versions, ...fieldProblems(known), ...(await valueProblems(known))];
}

function apiVersionProblems(manifests: readonly Manifest[]): Problem[] {
  return manifests.flatMap((manifest) => {
    const wanted = (apiVersions as Readonly<Record<string, string | undefined>>)[manifest.kind];
    if (wanted === undefined)
      return [`${titleOf(manifest)}: the kind is not one of ${Object.keys(apiVersions).join(', ')}`];
    return wanted === manifest.apiVersion
      ? []
      : [`${titleOf(manifest)}: apiVersion is ${manifest.apiVersion}, not ${wanted}`];
  });
}

/** Read once: they stay the same from one set of manifests to the next. */
const declarations = new Map<string, ts.SourceFile>();

/** Compiles the manifests as object literals of their types. */
function fieldProblems(manifests: readonly Manifest[]): Problem[] {
  const file = join(root, 'manifests-to-check.ts');
  const starts: number[] = [];
  let text = '';
  for (const [index, manifest] of manifests.entries()) {
    starts.push(text.length);
    const type = `import('kubernetes-models/${manifest.apiVersion}/${manifest.kind}').I${manifest.kind}`;
    text += `export const manifest${String(index)}: ${type} = ${JSON.stringify(manifest, undefined, 1)};\n`;
  }
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2022.d.ts'],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, version, ...rest) => {
    if (name === file) return ts.createSourceFile(name, text, version);
    const found = declarations.get(name) ?? getSourceFile(name, version, ...rest);
    if (found !== undefined) declarations.set(name, found);
    return found;
  };
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ start = 0, messageText }) => {
    const manifest = manifests[starts.findLastIndex((one) => one <= start)];
    const line = text.slice(text.lastIndexOf('\n', start) + 1, text.indexOf('\n', start)).trim();
    const message = ts.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' ');
    return `${manifest === undefined ? file : titleOf(manifest)}: at ${line}: ${message}`;
  });
}

interface Validated {
  /** Throws when the manifest does not fit the OpenAPI schema of its kind. */
  validate(): void;
}

async function valueProblems(manifests: readonly Manifest[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const manifest of manifests) {
    const { kind, apiVersion } = manifest;
    const module = (await import(`kubernetes-models/${apiVersion}/${kind}`)) as Record<
      string,
      new (data: Manifest) => Validated
    >;
    const Model = module[kind];
    if (Model === undefined) throw new Error(`kubernetes-models has no ${apiVersion}/${kind}`);
    try {
      new Model(manifest).validate();
    } catch (error) {
      problems.push(`${titleOf(manifest)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}
