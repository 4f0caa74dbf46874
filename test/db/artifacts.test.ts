import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { createPostgresArtifacts } from '#db/artifacts.ts';
import { deleteOldDrafts } from '#db/queries/artifacts.ts';
import { spanOf } from '#db/queries/partitions.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';

const runId = Number(spanOf(new Date()).from) + 1;
const content = Buffer.alloc(700_000, 'x');
const hash = createHash('sha256').update(content).digest('hex');

async function* cutOff() {
  yield content.subarray(0, 300_000);
  await Promise.reject(new Error('the line broke'));
}
async function* whole() {
  yield content.subarray(0, 100_000);
  yield content.subarray(100_000);
}

describe('the store of large results', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  const names = async () =>
    (await database.pool.query<{ hash: string }>('select distinct hash from artifact order by hash')).rows.map((row) =>
      row.hash.slice(0, 16),
    );

  it('keeps nothing of an upload that broke off', async () => {
    const store = createPostgresArtifacts(database.db);
    await expect(store.put(runId, hash, cutOff())).rejects.toThrow('the line broke');
    expect(await names()).toEqual([]);
  });

  it('is rid of uploads whose server died in the middle after a day, and of nothing else', async () => {
    await createPostgresArtifacts(database.db).put(runId, hash, whole());
    const insert = `insert into artifact (run_id, hash, chunk, data) values ($1, $2, $3, 'x')`;
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    for (const chunk of [0, 1]) await database.pool.query(insert, [runId, `draft ${hoursAgo(25)} a`, chunk]);
    await database.pool.query(insert, [runId, `draft ${hoursAgo(23)} b`, 0]);
    expect(await deleteOldDrafts(database.db)).toBe(2);
    expect(await deleteOldDrafts(database.db)).toBe(0);
    expect(await names()).toEqual([hash.slice(0, 16), `draft ${hoursAgo(23)}`.slice(0, 16)]);
  });
});
