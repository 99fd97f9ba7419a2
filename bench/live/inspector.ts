// Reads another process's heap and timers through its inspector, so that the product needs no switch for it.

export interface Inspector {
  /** Bytes of live objects, after a collection. */
  heapBytes(): Promise<number>;
  /** Timers that are armed, those that do not keep the process alive too. */
  timers(): Promise<number>;
  close(): void;
}

interface RemoteValue {
  readonly objectId: string;
  readonly value: unknown;
}

/** Connects to a process that was started with `--inspect`. */
export async function openInspector(url: string): Promise<Inspector> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  const waiting = new Map<number, (result: unknown) => void>();
  let asked = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  async function ask<Result>(method: string, params: object = {}): Promise<Result> {
    const id = (asked += 1);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, method, params }));
    const result = await promise;
    waiting.delete(id);
    return result as Result;
  }
  const objectGroup = 'timers';
  const { result: prototype } = await ask<{ result: RemoteValue }>('Runtime.evaluate', {
    expression: '{ const timer = setTimeout(() => {}); clearTimeout(timer); Object.getPrototypeOf(timer) }',
  });

  return {
    async heapBytes() {
      await ask('HeapProfiler.collectGarbage');
      return (await ask<{ usedSize: number }>('Runtime.getHeapUsage')).usedSize;
    },
    async timers() {
      const { objects } = await ask<{ objects: RemoteValue }>('Runtime.queryObjects', {
        prototypeObjectId: prototype.objectId,
        objectGroup,
      });
      // A timer that has fired or was cleared stays an object until it is collected.
      const { result } = await ask<{ result: RemoteValue }>('Runtime.callFunctionOn', {
        objectId: objects.objectId,
        functionDeclaration: 'function () { return this.filter((timer) => !timer._destroyed).length }',
        returnByValue: true,
      });
      await ask('Runtime.releaseObjectGroup', { objectGroup });
      return Number(result.value);
    },
    close: () => socket.close(),
  };
}
