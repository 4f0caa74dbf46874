import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, type TestEngine } from '../helpers/engine.ts';
import { writeRunEvent } from '../helpers/event-writer.ts';
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts';
import { openSocket } from '../helpers/socket.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const EVENTS = 150;
let engine: TestEngine;
let server: ServerProcess;
let token: string;

beforeAll(async () => {
  engine = createTestEngine(database);
  server = await startServerProcess(url);
  ({ token } = await createApiToken(db, { name: 't', role: 'viewer', expiresInDays: 1, actor: 'test' }));
});
afterAll(async () => {
  await server.kill();
  await engine.stop();
});

interface Message {
  cursor: string;
  kind: string;
  runId: string;
}

it('a client that loses its socket and its server gets every event once and in order', async () => {
  const { dagId } = await engine.deploy(dagOf('watched', { a: [] }, { maxActiveRuns: 100 }));
  const created = await engine.createRuns(Array.from({ length: 4 }, () => ({ dagId, kind: 'manual' as const })));
  const runIds = created.map((run) => run.runId);
  const [first] = runIds;
  const socket = openSocket(server.url, { token, retries: Infinity });
  const ofRun = socket.subscribe<Message>(
    'subscription($runId: ID!, $after: String) { dagRunEvents(runId: $runId, after: $after) { cursor kind } }',
    { runId: String(first), after: '0' },
    { resume: true },
  );
  const ofAll = socket.subscribe<Message>(
    'subscription($after: String) { events(after: $after) { cursor kind runId } }',
    { after: '0.0.0' },
    { resume: true },
  );
  await ofRun.take(1);
  await ofAll.take(1);

  // Writers of four runs at once, whose transactions begin and end in any order
  const writing = Promise.all(
    runIds.map(async (runId) => {
      for (let n = 0; n < EVENTS; n++) {
        await writeRunEvent(pool, runId, { n });
        await sleep(Math.random() * 12);
      }
    }),
  );
  const disturbing = (async () => {
    for (let n = 0; n < 4; n++) {
      await sleep(150);
      socket.terminate();
    }
    const { port } = new URL(server.url);
    await server.kill();
    await sleep(200);
    server = await startServerProcess(url, Number(port));
    await sleep(100);
    socket.terminate();
  })();
  await Promise.all([writing, disturbing]);

  const { rows } = await pool.query<{ run_id: number; run_seq: number; xid: string }>(
    'select run_id, run_seq, xid::text from event order by event.xid, run_id, run_seq',
  );
  const wanted = rows.map((row) => `${row.xid}.${row.run_id}.${row.run_seq}`);
  await waitFor(() => ofAll.messages.length >= wanted.length, { what: 'all events', timeoutMs: 15_000 });
  const wantedOfRun = rows.filter((row) => row.run_id === first).map((row) => row.run_seq);
  await waitFor(() => ofRun.messages.length >= wantedOfRun.length, { what: 'all events of the run' });

  expect(ofRun.messages.map((message) => Number(message.cursor))).toEqual(wantedOfRun.toSorted((a, b) => a - b));
  expect(ofAll.messages.map((message) => message.cursor)).toEqual(wanted);
  expect([...ofAll.messages, ...ofRun.messages].filter((message) => message.kind !== 'CHANGE')).toEqual([]);
  // It was disturbed: five times by a lost socket, once by the lost server
  expect(socket.closed.length).toBeGreaterThanOrEqual(5);
  await socket.stop();
}, 60_000);
