/** Logs as documents of Elasticsearch or OpenSearch, a block each: found across all tasks there, and read by their ids from here. */
import type { LogBlock } from '#db/queries/archived-log.ts';
import { createElasticsearchClient, ElasticsearchError, type ElasticsearchConfig } from './elasticsearch-client.ts';
import { LogGone, type LogName, type LogStore, type TextBlock } from './log-store.ts';
import { indexTemplate } from './elasticsearch-template.ts';

/** Of one request. */
const BULK_BYTES = 4 * 2 ** 20;
const MOST_FOUND = 1_000;
const OLDEST = 7;

interface BulkAnswer {
  errors: boolean;
  items: { index: { status: number; error?: { type: string; reason: string } } }[];
}

export function createElasticsearchStore(config: ElasticsearchConfig): LogStore {
  const { request } = createElasticsearchClient(config);
  let template: Promise<unknown> | undefined;
  const putTemplate = () =>
    (template ??= request('PUT', `/_index_template/${config.index}`, indexTemplate(config.index)).catch(
      (error: unknown) => {
        template = undefined;
        throw error;
      },
    ));

  /** `isLast`: what was written can be searched once this resolves. */
  const bulk = async (lines: string, isLast: boolean) => {
    const { errors, items } = await request<BulkAnswer>('POST', `/_bulk${isLast ? '?refresh=wait_for' : ''}`, lines);
    const failed = errors ? items.find(({ index }) => index.error)?.index : undefined;
    if (failed?.error) throw new ElasticsearchError(failed.status, `${failed.error.type}: ${failed.error.reason}`);
  };

  return {
    name: 'elasticsearch',
    keyOf: ({ runId, uuid, bytes }) => `${config.index}-${periodOf(runId, config.period)}/${uuid}-${bytes}`,
    async write(key, blocks, log) {
      await putTemplate();
      const written: LogBlock[] = [];
      let lines = '';
      for await (const block of blocks) {
        if (lines.length > BULK_BYTES) {
          await bulk(lines, false);
          lines = '';
        }
        const { offset, text } = block;
        lines += documentOf(key, log, block, written.length);
        written.push({ offset, bytes: text.length, lines: block.lines, size: text.length });
      }
      if (lines !== '') await bulk(lines, true);
      return written;
    },
    async read({ key }, from, to) {
      const ids = Array.from({ length: to - from }, (_, i) => idOf(key, from + i));
      if (ids.length === 0) return [];
      const { docs } = await request<{ docs: { found?: boolean; _source?: { text: string } }[] }>(
        'POST',
        `/${indexOf(key)}/_mget?_source_includes=text`,
        { ids },
      ).catch((cause: unknown) => {
        throw isGone(cause) ? new LogGone('elasticsearch', key, { cause }) : cause;
      });
      return docs.map(({ _source }) => {
        if (!_source) throw new LogGone('elasticsearch', key);
        return Buffer.from(_source.text);
      });
    },
    async narrow({ key, blocks }, text, from) {
      const { hits } = await request<{ hits: { hits: { fields: { block: number[] } }[] } }>(
        'POST',
        `/${indexOf(key)}/_search`,
        searchOf(key, text, from),
      );
      const found = hits.hits.map(({ fields }) => fields.block[0]!);
      // Of what comes after the last one that fitted nothing is known
      const rest = found.length < MOST_FOUND ? blocks.length : found.at(-1)! + 1;
      return [...found, ...Array.from({ length: blocks.length - rest }, (_, i) => rest + i)];
    },
    async delete(keys) {
      const indexes = [...new Set(keys.map(indexOf))].join(',');
      await request(
        'POST',
        `/${indexes}/_delete_by_query?conflicts=proceed&ignore_unavailable=true&allow_no_indices=true`,
        { query: { terms: { log: keys } } },
      );
    },
    async check() {
      const { version } = await request<{ version?: { number?: string; distribution?: string } }>('GET', '/');
      if (version?.distribution !== 'opensearch' && parseInt(version?.number ?? '0', 10) < OLDEST)
        throw new Error(`${config.url} is Elasticsearch ${version?.number ?? 'of an unknown version'}: 7.8 is needed.`);
      await putTemplate();
    },
  };
}

const isGone = (error: unknown): boolean => error instanceof ElasticsearchError && error.status === 404;
const indexOf = (key: string): string => key.slice(0, key.indexOf('/'));
const idOf = (key: string, block: number): string => `${key.slice(key.indexOf('/') + 1)}-${block}`;

/** Its day of birth is in the high bits of a run's id: a log lies in one index, whenever it is archived. */
function periodOf(runId: number, period: ElasticsearchConfig['period']): string {
  const day = new Date(Math.floor(runId / 2 ** 36) * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '.');
  return period === 'day' ? day : day.slice(0, 7);
}

/** Two lines of a bulk request. Written again it replaces itself. */
function documentOf(key: string, log: LogName, { offset, text, lines }: TextBlock, block: number): string {
  const body = text.toString();
  const at = /^\d{4}-\d\d-\d\dT\S{1,30}Z/.exec(body)?.[0];
  const source = {
    ...(at !== undefined && { '@timestamp': at }),
    log: key,
    block,
    offset,
    lines,
    dag: log.dagId,
    run: String(log.runId),
    task: log.taskId,
    map_index: log.mapIndex,
    try: log.tryNumber,
    text: body,
  };
  return `${JSON.stringify({ index: { _index: indexOf(key), _id: idOf(key, block) } })}\n${JSON.stringify(source)}\n`;
}

const searchOf = (key: string, text: string, from: number) => ({
  size: MOST_FOUND,
  _source: false,
  track_total_hits: false,
  docvalue_fields: ['block'],
  sort: [{ block: 'asc' }],
  query: {
    bool: {
      filter: [
        { term: { log: key } },
        { range: { block: { gte: from } } },
        { match: { 'text.grams': { query: text, operator: 'and' } } },
      ],
    },
  },
});
