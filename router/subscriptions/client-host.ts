// What all clients share, whatever protocol they speak: counts and limits, token expiry and revocation, heartbeats, and the drain.
import { CodedError, codeOf } from '../../service/errors.ts';
import { closeInWaves } from './close-in-waves.ts';
import { defaultConnectionLimits, ViewerCounts } from './connection-limits.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { createExpirySchedule } from './expiry.ts';
import type { ExpirySchedule } from './expiry.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LiveDeps } from './live-operation.ts';
import type { StreamSink } from './stream-sink.ts';
import type { WebSocketConnection } from './websocket-connection.ts';

export interface ClientHost extends LiveDeps {
  readonly limits: ConnectionLimits;
  readonly connections: Set<WebSocketConnection>;
  readonly streams: Set<StreamSink>;
  readonly viewerConnections: ViewerCounts;
  readonly viewerSubscriptions: ViewerCounts;
  readonly expiry: ExpirySchedule;
  readonly heartbeats: Readonly<Record<'websocket' | 'multipart' | 'sse', Heartbeat>>;
  /** @throws CodedError SHUTTING_DOWN, OVERLOADED when there are as many connections as there may be. */
  checkRoom(): void;
  /** Takes no new client, and ends the others in waves, each told SHUTTING_DOWN. Resolves when all were told. */
  close(): Promise<void>;
}

export function createClientHost(deps: LiveDeps): ClientHost {
  const limits = { ...defaultConnectionLimits, ...deps.limits };
  const connections = new Set<WebSocketConnection>();
  const streams = new Set<StreamSink>();
  const expiry = createExpirySchedule();
  const heartbeats = {
    websocket: createHeartbeat(limits.pingIntervalMs),
    multipart: createHeartbeat(limits.multipartHeartbeatMs),
    sse: createHeartbeat(limits.sseHeartbeatMs),
  };
  let closing = false;
  const stopListening = deps.identity.onKeysChanged(() => void recheckIdentities());

  /** Keys have changed: who was let in by one that is gone is closed. One by one, so that it is no burst of signature checks. */
  async function recheckIdentities(): Promise<void> {
    for (const client of [...connections, ...streams]) {
      if (client.viewer === undefined) continue;
      try {
        await deps.identity.verify(`Bearer ${client.viewer.token}`);
      } catch (error) {
        if (codeOf(error) === 'UNAUTHENTICATED') client.close('UNAUTHENTICATED');
      }
    }
  }

  return {
    ...deps,
    limits,
    connections,
    streams,
    viewerConnections: new ViewerCounts(limits.maxConnectionsPerViewer, 'CONNECTION_LIMIT'),
    viewerSubscriptions: new ViewerCounts(limits.maxSubscriptionsPerViewer, 'SUBSCRIPTION_LIMIT'),
    expiry,
    heartbeats,
    checkRoom() {
      if (closing) throw new CodedError('SHUTTING_DOWN');
      if (connections.size + streams.size >= limits.maxConnections) throw new CodedError('OVERLOADED');
    },
    async close() {
      closing = true;
      stopListening();
      await closeInWaves([...connections, ...streams], limits.drainMs, (client) => client.close('SHUTTING_DOWN'));
      for (const heartbeat of Object.values(heartbeats)) heartbeat.close();
      expiry.close();
    },
  };
}
