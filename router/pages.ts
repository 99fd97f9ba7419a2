// The pages for browsers: Apollo Sandbox at /graphql (loaded from Apollo), and the explorer Altair at /graphiql (served whole from
// its npm package, so it works without internet). `#token=…` behind either address fills in the bearer token.
import { getDistDirectory } from 'altair-static';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { Kind, parse, print, valueFromASTUntyped } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';

/** A page or one of its assets. */
export interface Page {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export interface Pages {
  /** For browsers that open the GraphQL endpoint. */
  sandbox(): Page;
  /** The explorer and its assets; undefined when nothing is at this path. */
  at(pathname: string): Page | undefined;
}

/** An operation that the pages offer. */
interface Example {
  readonly name: string;
  readonly text: string;
  /** JSON of the variables, with their defaults. */
  readonly variables: string;
}

const explorerPath = '/graphiql';
const signInHint = `# To sign in, open ${explorerPath}#token=<token>, or set the environment's variable "authorization" to "Bearer <token>".`;

/** Reads the explorer's files once. @throws Error when the example operations do not parse */
export function createPages(options: { readonly endpoint: string; readonly examplesFile: string }): Pages {
  const { endpoint } = options;
  const examplesText = existsSync(options.examplesFile) ? readFileSync(options.examplesFile, 'utf8') : '';
  const examples = readExamples(examplesText);
  const assets = readAssets();
  return {
    sandbox: () => sandboxPage(endpoint, examplesText, examples),
    at(pathname) {
      if (pathname === explorerPath || pathname === `${explorerPath}/`) return explorerPage(endpoint, examples);
      return assets.get(pathname);
    },
  };
}

function readExamples(text: string): Example[] {
  if (text.trim() === '') return [];
  const document = parse(text);
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION
      ? [
          {
            name: definition.name?.value ?? definition.operation,
            text: print(definition),
            variables: JSON.stringify(exampleVariables(definition), null, 2),
          },
        ]
      : [],
  );
}

function exampleVariables(operation: OperationDefinitionNode): Record<string, unknown> {
  return Object.fromEntries(
    (operation.variableDefinitions ?? []).map(({ variable, defaultValue, type }) => [
      variable.name.value,
      defaultValue === undefined ? (type.kind === Kind.NON_NULL_TYPE ? '' : null) : valueFromASTUntyped(defaultValue),
    ]),
  );
}

/** In the page: the header for the token that stands behind `#token=` in the address, which never reaches a server. */
const authorizationOfAddress = `(() => {
        const token = new URLSearchParams(location.hash.slice(1)).get('token');
        if (token !== null) history.replaceState(null, '', location.pathname);
        return token === null ? '' : 'Bearer ' + token;
      })()`;
const webSocketAddress = (endpoint: string): string => `location.origin.replace(/^http/, 'ws') + ${toScript(endpoint)}`;

const sandboxOrigin = 'https://embeddable-sandbox.cdn.apollographql.com';

function sandboxPage(endpoint: string, examplesText: string, [first]: readonly Example[]): Page {
  const nonce = randomBytes(16).toString('base64');
  const state = {
    document: examplesText === '' ? undefined : examplesText,
    variables: JSON.parse(first?.variables ?? '{}') as unknown,
  };
  return {
    contentType: 'text/html; charset=utf-8',
    headers: pageHeaders({
      'script-src': `'nonce-${nonce}' ${sandboxOrigin}`,
      'style-src': `'nonce-${nonce}' ${sandboxOrigin} https://fonts.googleapis.com`,
      'font-src': 'https://fonts.gstatic.com',
      'img-src': "'self' data: https://*.apollographql.com",
      'frame-src': 'https://sandbox.embed.apollographql.com',
      'connect-src': "'self'",
    }),
    body: `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width,initial-scale=1" />
    <title>Apollo Sandbox</title>
    <style nonce="${nonce}">
      body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
      p { padding: 1rem; max-width: 45rem; }
      #sandbox, #sandbox iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; background: #fff; }
      #sandbox:empty { display: none; }
    </style>
  </head>
  <body>
    <p>
      This page loads Apollo Sandbox from Apollo. Without internet, use the explorer at
      <a href="${explorerPath}">${explorerPath}</a>. To sign in, put a token into the shared header
      <code>Authorization: Bearer &lt;token&gt;</code>, or behind the address: <code>#token=&lt;token&gt;</code>.
    </p>
    <div id="sandbox"></div>
    <script nonce="${nonce}" src="${sandboxOrigin}/v2/embeddable-sandbox.umd.production.min.js"></script>
    <script nonce="${nonce}">
      const Authorization = ${authorizationOfAddress};
      if (window.EmbeddedSandbox) {
        new window.EmbeddedSandbox({
          target: '#sandbox',
          initialEndpoint: location.origin + ${toScript(endpoint)},
          initialSubscriptionEndpoint: ${webSocketAddress(endpoint)},
          initialState: {
            ...${toScript(state)},
            sharedHeaders: { Authorization },
            includeCookies: false,
          },
          endpointIsEditable: false,
          hideCookieToggle: true,
          runTelemetry: false,
          allowDynamicStyles: false,
        });
      }
    </script>
  </body>
</html>
`,
  };
}

function explorerPage(endpoint: string, examples: readonly Example[]): Page {
  const nonce = randomBytes(16).toString('base64');
  const index = readFileSync(join(getDistDirectory(), 'index.html'), 'utf8');
  const windows = examples.map(({ name, text, variables }) => ({
    initialName: name,
    initialQuery: `${signInHint}\n${text}`,
    initialVariables: variables,
  }));
  const script = `
      const authorization = ${authorizationOfAddress};
      // One variable for the header of requests and for the parameters of the socket.
      const headers = { Authorization: '{{authorization}}' };
      const requests = {
        initialHeaders: headers,
        initialSubscriptionsPayload: headers,
        initialSubscriptionRequestHandlerId: 'graphql-ws',
      };
      AltairGraphQL.init({
        endpointURL: location.origin + ${toScript(endpoint)},
        subscriptionsEndpoint: ${webSocketAddress(endpoint)},
        subscriptionsProtocol: 'graphql-ws',
        initialEnvironments: { base: { title: 'Environment', variables: { authorization } } },
        initialWindows: ${toScript(windows)}.map((window) => ({ ...window, ...requests })),
        ...requests,
        initialSettings: { theme: 'system', 'schema.reloadOnStart': true, 'alert.disableWarnings': true, 'banners.disable': true },
        instanceStorageNamespace: 'router_',
        disableAccount: true,
        cspNonce: '${nonce}',
      });
    `;
  return {
    contentType: 'text/html; charset=utf-8',
    headers: pageHeaders({
      'script-src': `'self' 'nonce-${nonce}'`,
      // Altair's editor writes style attributes and elements as it runs.
      'style-src': "'self' 'unsafe-inline'",
      'font-src': "'self' data:",
      'img-src': "'self' data:",
      'connect-src': "'self'",
      'worker-src': "'self' blob:",
      'frame-src': "'self'",
      'base-uri': "'self'",
    }),
    body: index
      .replace(/<base[^>]*>/, `<base href="${explorerPath}/" />`)
      .replaceAll('<style>', `<style nonce="${nonce}">`)
      .replace('</body>', () => `<script type="module" nonce="${nonce}">${script}</script></body>`),
  };
}

const contentTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

/** Only what is in the package is served: the path of a request never reaches the file system. */
function readAssets(): ReadonlyMap<string, Page> {
  const folder = getDistDirectory();
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const path = relative(folder, file).split(sep).join('/');
      const body = readFileSync(file);
      const page: Page = {
        contentType: contentTypes[extname(entry.name)] ?? 'application/octet-stream',
        headers: {
          'cache-control': 'public, max-age=3600',
          etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
          // Scripts that a user writes in Altair run in this frame, away from the page.
          ...(path.startsWith('iframe-sandbox/') ? { 'content-security-policy': 'sandbox allow-scripts' } : {}),
        },
        body,
      };
      return [`${explorerPath}/${path}`, page];
    }),
  );
}

function pageHeaders(policy: Readonly<Record<string, string>>): Record<string, string> {
  const directives = {
    'default-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    ...policy,
  };
  return {
    'content-security-policy': Object.entries(directives)
      .map(([name, value]) => `${name} ${value}`)
      .join('; '),
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

/** A value as JavaScript inside a script element. */
function toScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
