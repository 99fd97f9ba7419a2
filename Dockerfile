# One image for the four processes: the command chooses which (`router/main.ts`, `subgraphs/order/main.ts`, … and `… migrate`).
# Nothing is compiled: Node runs the sources. What is in the image follows from package-lock.json alone.

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# A mirror, where the public registry cannot be reached.
ARG NPM_CONFIG_REGISTRY=https://registry.npmjs.org/
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/var/cache/npm \
    npm ci --cache=/var/cache/npm --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --prefer-offline \
    # Not read when the program runs.
    && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -iname '*.md' \) -delete

FROM node:24-bookworm-slim
# The program needs Node alone; what could bring more into a running container goes.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn*
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY schema schema
COPY service service
COPY subgraphs subgraphs
COPY router router
USER node
EXPOSE 4000 4001 4002 4003
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=16"]
CMD ["router/main.ts"]
# Whether the process of this container is ready; its port follows from what it runs.
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["node", "--eval", "\
  const [, name] = /(\\w+)\\/main\\.ts/.exec(require('node:fs').readFileSync('/proc/1/cmdline', 'utf8'));\
  const ports = { router: 4000, order: 4001, payment: 4002, delivery: 4003 };\
  const port = process.env[name.toUpperCase() + '_PORT'] || ports[name];\
  fetch('http://127.0.0.1:' + port + '/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1));"]
