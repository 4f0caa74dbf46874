import { connect, createServer, isIP, type AddressInfo, type Socket } from 'node:net';
import { createClusterClient } from '#server/executors/kubernetes/cluster-client.ts';

/** A TCP proxy in front of `target` that breaks connections. */
export async function startCuttingProxy(target: { host: string; port: number }) {
  const open = new Set<Socket>();
  let cutAfterBytes = Infinity;
  let cuts = 0;

  const server = createServer((near) => {
    const far = connect(target);
    const limit = cutAfterBytes;
    let bytes = 0;
    open.add(near);
    const close = () => {
      open.delete(near);
      near.destroy();
      far.destroy();
    };
    near.on('close', close).on('error', close);
    far.on('close', close).on('error', close);
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) return void near.write(chunk);
      cuts += 1;
      close();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    /** Of connections opened from now on, counted from the server's side. */
    cutAfter(count: number): void {
      cutAfterBytes = count;
    },
    /** Breaks all there are. */
    cutNow(): void {
      cuts += open.size;
      for (const socket of open) socket.destroy();
    },
    cuts: () => cuts,
    async close(): Promise<void> {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client of the cluster that `kubeconfig` (JSON) names, whose connections can be cut. */
export async function createCuttingClient(kubeconfig: string) {
  const config = JSON.parse(kubeconfig) as { clusters: { cluster: { [field: string]: unknown } }[] };
  const { cluster } = config.clusters[0]!;
  const server = new URL(String(cluster['server']));
  const proxy = await startCuttingProxy({ host: server.hostname, port: Number(server.port || 443) });
  Object.assign(cluster, {
    server: `https://127.0.0.1:${proxy.port}`,
    ...(isIP(server.hostname) ? {} : { 'tls-server-name': server.hostname }),
  });
  const credentials = { kind: 'kubeconfig' as const, kubeconfig: JSON.stringify(config), context: null };
  const limits = { qps: 100, burst: 100, parallelCreates: 5 };
  return { proxy, client: createClusterClient({ name: 'cut', credentials, limits, userAgent: 'test' }) };
}
