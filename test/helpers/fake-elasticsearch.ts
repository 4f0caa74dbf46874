/** Elasticsearch as far as the log store speaks to it: what it does not know of the protocol it refuses. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Doc {
  source: { log: string; block: number; text: string; [field: string]: unknown };
  isSearchable: boolean;
}

export interface FakeElasticsearch {
  url: string;
  /** By index and id. */
  indexes: Map<string, Map<string, Doc>>;
  requests: string[];
  /** Status of the next answers, instead of what they would be. */
  failWith(status: number | null): void;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  body: object;
}
type Query = {
  term?: { log: string };
  terms?: { log: string[] };
  range?: { block: { gte: number } };
  match?: { [field: string]: { query: string; operator: string } };
};

export async function startFakeElasticsearch({ version = '8.15.0', apiKey = 'key' } = {}): Promise<FakeElasticsearch> {
  const indexes: FakeElasticsearch['indexes'] = new Map();
  const requests: string[] = [];
  let templated = '';
  let failing: number | null = null;

  const bulk = (text: string, refresh: boolean): Answer => {
    if (!text.endsWith('\n')) return refuse(400, 'the bulk request must be terminated by a newline [\\n]');
    const lines = text.slice(0, -1).split('\n');
    const items = [];
    for (let i = 0; i < lines.length; i += 2) {
      const { index } = JSON.parse(lines[i]!) as { index: { _index: string; _id: string } };
      if (!templated || !index._index.startsWith(templated)) throw new Error(`no template for ${index._index}`);
      const docs = indexes.get(index._index) ?? new Map<string, Doc>();
      indexes.set(
        index._index,
        docs.set(index._id, { source: JSON.parse(lines[i + 1]!) as Doc['source'], isSearchable: refresh }),
      );
      items.push({ index: { _id: index._id, status: 201 } });
    }
    if (refresh) for (const docs of indexes.values()) for (const doc of docs.values()) doc.isSearchable = true;
    return { status: 200, body: { errors: false, items } };
  };
  const matches = (doc: Doc, { term, terms, range, match }: Query): boolean => {
    if (term) return doc.source.log === term.log;
    if (terms) return terms.log.includes(doc.source.log);
    if (range) return doc.source.block >= range.block.gte;
    const { query, operator } = match?.['text.grams'] ?? { query: '', operator: '' };
    if (operator !== 'and') throw new Error('the grams of a text are all wanted');
    const text = doc.source.text.toLowerCase();
    const grams = Array.from({ length: Math.max(0, query.length - 2) }, (_, i) => query.toLowerCase().slice(i, i + 3));
    return grams.every((gram) => text.includes(gram));
  };
  const docsOf = (index: string) => [...(indexes.get(index) ?? [])];
  const search = (index: string, body: { size: number; query: { bool: { filter: Query[] } } }): Answer => {
    if (!indexes.has(index)) return refuse(404, `no such index [${index}]`);
    const found = docsOf(index)
      .map(([, doc]) => doc)
      .filter((doc) => doc.isSearchable && body.query.bool.filter.every((query) => matches(doc, query)))
      .sort((a, b) => a.source.block - b.source.block)
      .slice(0, body.size);
    return {
      status: 200,
      body: { hits: { hits: found.map(({ source }) => ({ fields: { block: [source.block] } })) } },
    };
  };
  const route = (method: string, path: string, params: URLSearchParams, body: string): Answer => {
    const [first = '', second = ''] = path.slice(1).split('/');
    if (method === 'GET' && path === '/') return { status: 200, body: { version: { number: version } } };
    if (method === 'PUT' && first === '_index_template') {
      templated = second;
      return { status: 200, body: { acknowledged: true } };
    }
    if (method === 'POST' && first === '_bulk') return bulk(body, params.get('refresh') === 'wait_for');
    if (method === 'POST' && second === '_mget') {
      if (!indexes.has(first)) return refuse(404, `no such index [${first}]`);
      const { ids } = JSON.parse(body) as { ids: string[] };
      const docs = ids.map((id) => {
        const doc = indexes.get(first)?.get(id);
        return doc ? { _id: id, found: true, _source: { text: doc.source.text } } : { _id: id, found: false };
      });
      return { status: 200, body: { docs } };
    }
    if (method === 'POST' && second === '_search')
      return search(first, JSON.parse(body) as Parameters<typeof search>[1]);
    if (method === 'POST' && second === '_delete_by_query') {
      const { query } = JSON.parse(body) as { query: Query };
      for (const index of first.split(','))
        for (const [id, doc] of docsOf(index)) if (matches(doc, query)) indexes.get(index)?.delete(id);
      return { status: 200, body: { failures: [] } };
    }
    return refuse(405, `${method} ${path} is not known`);
  };

  const server = createServer((req, res) => {
    void bodyOf(req).then((body) => {
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
      requests.push(`${req.method} ${pathname}`);
      const wanted = pathname === '/_bulk' ? 'application/x-ndjson' : 'application/json';
      const answer =
        failing !== null
          ? refuse(failing, 'circuit_breaking_exception')
          : req.headers.authorization !== `ApiKey ${apiKey}`
            ? refuse(401, 'missing authentication credentials')
            : body !== '' && req.headers['content-type'] !== wanted
              ? refuse(406, `Content-Type [${req.headers['content-type']}] is not supported`)
              : route(req.method ?? '', pathname, searchParams, body);
      res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    indexes,
    requests,
    failWith: (status) => void (failing = status),
    stop: () => stop(server),
  };
}

const refuse = (status: number, reason: string): Answer => ({
  status,
  body: { error: { type: 'refused', reason }, status },
});

async function bodyOf(req: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
