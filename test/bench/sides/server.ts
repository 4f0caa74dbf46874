/** The server role: the API over HTTP and WebSocket, the engine, and where asked a worker in the same process. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createListener } from '#db/listen.ts';
import { createVault } from '#db/vault.ts';
import { createApiToken } from '#server/auth/users.ts';
import { listenThrough } from '#server/brokers/listen-through.ts';
import { createApp } from '#server/http/app.ts';
import { createLogger } from '#server/log.ts';
import { openEngine, type OpenRequest } from './open-engine.ts';
import { nowUs, serveSide } from './serve.ts';
import type { HandlerStart } from './supervise.ts';

const loop = monitorEventLoopDelay({ resolution: 1 });

async function openServer(request: OpenRequest) {
  const core = await openEngine(request);
  const { db, pool, engine, broker } = core;
  const listener = createListener(request.url);
  const app = createApp({
    db,
    pool,
    listener: broker ? listenThrough(listener, broker) : listener,
    engine,
    log: createLogger({ level: 'warn', format: 'text' }),
    secretKey: Buffer.alloc(32, 7),
    vault: createVault(Buffer.alloc(32, 7)),
    version: 'bench',
    webRoot: '/nowhere',
  });
  await listener.start();
  const address = await app.start(0);
  const token = async (role: 'editor' | 'worker') =>
    (await createApiToken(db, { name: role, role, expiresInDays: 1, actor: 'bench' })).token;
  return {
    core,
    answer: { address, clientToken: await token('editor'), workerToken: await token('worker') },
    async close() {
      await app.stop();
      await core.close();
      await listener.stop();
    },
  };
}

let opened: Awaited<ReturnType<typeof openServer>> | null = null;
const core = () => {
  if (!opened) throw new Error('nothing is open');
  return opened.core;
};

serveSide({
  async open(request: OpenRequest) {
    opened = await openServer(request);
    return opened.answer;
  },
  async close() {
    await opened?.close();
    opened = null;
  },
  /** Many runs in one call, which the API does not have: what a bulk trigger would cost without its request. */
  async burst({ dagId, runs }: { dagId: string; runs: number }) {
    const { db, engine } = core();
    const dag = await db.selectFrom('dag').select('id').where('name', '=', dagId).executeTakeFirstOrThrow();
    const at = nowUs();
    await engine.createRuns(Array.from({ length: runs }, () => ({ dagId: dag.id, kind: 'manual' as const })));
    return at;
  },
  watchLoop() {
    loop.reset();
    loop.enable();
  },
  takeStall() {
    loop.disable();
    return loop.max / 1e6;
  },
  async takeStarts({ told }: { told: boolean }) {
    if (!told) return core().starts.splice(0);
    const { rows } = await core().pool.query<HandlerStart>(
      `select run_id::text as "runId", value::text::float8 as at from xcom where key = 'return_value'`,
    );
    return rows;
  },
});
