/**
 * A small stand-in for a Kubernetes API, for what a real one does not show on demand: lost answers, watches that break, fall silent or
 * are too old, throttling, refusals, slow creation. Pods "run" by a script. It knows namespaced objects only, and no admission.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterCredentials } from '#server/executors/kubernetes/credentials.ts';
import type { KubePod } from '#server/executors/kubernetes/kube-types.ts';

/** What becomes of a Pod, in milliseconds after the stage before; a stage that is null never comes. */
export interface PodScript {
  scheduleMs: number | null;
  startMs: number | null;
  runMs: number | null;
  exitCode: number;
  /** What the container writes when it starts. */
  log: string[];
}

/** Instead of (or after) what a request asks for. */
export interface Fault {
  /** `create`, `get`, `list`, `watch`, `delete`. */
  verb: string;
  resource?: string;
  /** Only requests with this parameter. */
  withParameter?: string;
  /** How often; once when not given. */
  times?: number;
  /** Answer with this status and message. */
  status?: number;
  reason?: string;
  message?: string;
  retryAfter?: number;
  /** No answer: the connection is cut. */
  drop?: true;
  /** The request is carried out all the same. */
  carriedOut?: true;
  delayMs?: number;
  /** Of a log: the connection is cut after so many bytes. */
  cutAfterBytes?: number;
  /** Of a log: the last words of a kubelet whose container is gone. */
  lastWords?: string;
}

export interface FakeKubeOptions {
  createLatencyMs?: number;
  bookmarkMs?: number;
  script?: (pod: KubePod) => Partial<PodScript>;
  /** Pods that may be there and not have ended, in each namespace. */
  quotaPods?: number;
  /** Its clock is so far ahead of this machine's. */
  clockMs?: number;
}

interface LogLine {
  time: string;
  text: string;
}
interface Change {
  version: number;
  collection: string;
  type: string;
  object: KubePod;
  line: string;
}
interface Watcher {
  collection: string;
  selector: string | null;
  answer: ServerResponse;
}

const DEFAULT_SCRIPT: PodScript = { scheduleMs: 0, startMs: 0, runMs: 0, exitCode: 0, log: [] };
const hasEnded = (pod: KubePod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

function matches(pod: KubePod, selector: string | null): boolean {
  const labels = pod.metadata?.labels ?? {};
  return (selector ?? '')
    .split(',')
    .filter(Boolean)
    .every((term) => {
      const [key = '', value] = term.split(/==?/);
      return value === undefined ? key in labels : labels[key] === value;
    });
}

const PATHS = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?(?:\/(log))?$/;

export type FakeKube = Awaited<ReturnType<typeof startFakeKube>>;

export async function startFakeKube({
  createLatencyMs = 0,
  bookmarkMs = 60_000,
  script = () => ({}),
  quotaPods = Infinity,
  clockMs = 0,
}: FakeKubeOptions = {}) {
  const collections = new Map<string, Map<string, KubePod>>();
  const logs = new Map<string, LogLine[]>();
  const followers = new Map<string, Set<() => void>>();
  const history: Change[] = [];
  const watchers = new Set<Watcher>();
  const counts = new Map<string, number>();
  const authorizations = new Set<string>();
  let connections = 0;
  const faults: Fault[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let version = 1000;
  let oldest = 0;
  let silent = false;
  let bookmarks = 0;
  let quota = quotaPods;
  let latency = createLatencyMs;

  const clock = () => new Date(Date.now() + clockMs);
  const now = () => clock().toISOString();

  const collectionOf = (path: string) => {
    const found = collections.get(path) ?? new Map<string, KubePod>();
    collections.set(path, found);
    return found;
  };
  const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

  function later(ms: number | null, work: () => void): void {
    if (ms === null) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  }

  function record(type: string, collection: string, object: KubePod): void {
    version += 1;
    object.metadata!.resourceVersion = String(version);
    const line = `${JSON.stringify({ type, object })}\n`;
    history.push({ version, collection, type, object: structuredClone(object), line });
    if (history.length > 20_000) oldest = history.splice(0, 10_000).at(-1)!.version;
    if (silent) return;
    for (const watcher of watchers)
      if (watcher.collection === collection && matches(object, watcher.selector)) watcher.answer.write(line);
  }

  /** Changes a Pod as the kubelet or a person would; nothing when it is gone. */
  function change(collection: string, name: string, edit: (pod: KubePod) => void): void {
    const pod = collectionOf(collection).get(name);
    if (!pod) return;
    edit(pod);
    record('MODIFIED', collection, pod);
    wakeFollowers(collection, name);
  }

  function remove(collection: string, name: string): KubePod | null {
    const pod = collectionOf(collection).get(name);
    if (!pod) return null;
    collectionOf(collection).delete(name);
    record('DELETED', collection, pod);
    wakeFollowers(collection, name);
    return pod;
  }

  function wakeFollowers(collection: string, name: string): void {
    for (const wake of followers.get(`${collection}/${name}`) ?? []) wake();
  }

  function write(collection: string, name: string, lines: (string | LogLine)[]): void {
    const key = `${collection}/${name}`;
    const log = logs.get(key) ?? [];
    logs.set(key, log);
    for (const line of lines)
      log.push(typeof line === 'string' ? { time: now().replace('Z', '000000Z'), text: line } : line);
    wakeFollowers(collection, name);
  }

  /** Schedules, starts and ends the Pod as its script says. */
  function play(collection: string, pod: KubePod): void {
    const name = pod.metadata!.name!;
    const steps = { ...DEFAULT_SCRIPT, ...script(pod) };
    const containers = pod.spec?.containers ?? [];
    const statuses = (state: object, ready: boolean) =>
      containers.map(({ name: container, image = '' }) => ({
        name: container,
        image,
        imageID: '',
        ready,
        restartCount: 0,
        state,
      }));
    const isMine = (there: KubePod) => there.metadata?.uid === pod.metadata?.uid;
    const step = (ms: number | null, edit: (pod: KubePod) => void, next: () => void) =>
      later(ms, () => {
        const there = collectionOf(collection).get(name);
        if (!there || !isMine(there)) return;
        change(collection, name, edit);
        next();
      });
    const end = () =>
      step(
        steps.runMs,
        (there) => {
          const startedAt = there.status!.startTime;
          const terminated = {
            exitCode: steps.exitCode,
            reason: steps.exitCode ? 'Error' : 'Completed',
            startedAt,
            finishedAt: now(),
          };
          there.status!.phase = steps.exitCode ? 'Failed' : 'Succeeded';
          there.status!.containerStatuses = statuses({ terminated }, false) as never;
        },
        () => {},
      );
    const start = () =>
      step(
        steps.startMs,
        (there) => {
          const startTime = now();
          Object.assign(there.status!, { phase: 'Running', startTime });
          there.status!.containerStatuses = statuses({ running: { startedAt: startTime } }, true) as never;
          write(collection, name, steps.log);
        },
        end,
      );
    step(
      steps.scheduleMs,
      (there) => {
        there.spec!.nodeName = 'fake-node';
        there.status!.conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: now() }];
      },
      start,
    );
  }

  function create(collection: string, namespace: string, body: KubePod): { status: number; body: object } {
    const there = collectionOf(collection);
    const name = body.metadata?.name ?? '';
    if (there.has(name)) return refuse(409, 'AlreadyExists', `pods "${name}" already exists`);
    const counted = quota === Infinity ? 0 : [...there.values()].filter((pod) => !hasEnded(pod)).length;
    if (counted >= quota)
      return refuse(
        403,
        'Forbidden',
        `pods "${name}" is forbidden: exceeded quota: q, requested: pods=1, used: pods=${counted}, limited: pods=${quota}`,
      );
    const object: KubePod = { ...body, status: { phase: 'Pending' } };
    object.metadata = { ...body.metadata, namespace, uid: randomUUID(), creationTimestamp: now() };
    there.set(name, object);
    record('ADDED', collection, object);
    const made = structuredClone(object);
    if (collection.endsWith('/pods')) play(collection, object);
    return { status: 201, body: made };
  }

  const refuse = (code: number, reason: string, message: string) => ({
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details: {} },
  });

  function list(collection: string, query: URLSearchParams) {
    const all = [...collectionOf(collection).values()].filter((pod) => matches(pod, query.get('labelSelector')));
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? Infinity);
    const more = from + limit < all.length ? String(from + limit) : undefined;
    const metadata = { resourceVersion: String(version), continue: more };
    return { status: 200, body: { kind: 'List', metadata, items: all.slice(from, from + limit) } };
  }

  function watch(collection: string, query: URLSearchParams, answer: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    const selector = query.get('labelSelector');
    if (from < oldest) {
      const { body } = refuse(410, 'Expired', `too old resource version: ${from} (${oldest})`);
      answer.writeHead(200, { 'content-type': 'application/json' });
      return void answer.end(`${JSON.stringify({ type: 'ERROR', object: body })}\n`);
    }
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.flushHeaders();
    for (const past of history)
      if (past.version > from && past.collection === collection && matches(past.object, selector))
        answer.write(past.line);
    const watcher = { collection, selector, answer };
    watchers.add(watcher);
    const beat = setInterval(() => {
      const object = { kind: 'Pod', metadata: { resourceVersion: String(version) } };
      if (silent) return;
      bookmarks += 1;
      answer.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }, bookmarkMs);
    const end = setTimeout(() => answer.end(), Number(query.get('timeoutSeconds') ?? 300) * 1000);
    answer.on('close', () => {
      clearInterval(beat);
      clearTimeout(end);
      watchers.delete(watcher);
    });
  }

  function sendLog(
    collection: string,
    name: string,
    query: URLSearchParams,
    answer: ServerResponse,
    fault?: Fault,
  ): void {
    const pod = collectionOf(collection).get(name);
    if (!pod) return send(answer, refuse(404, 'NotFound', `pods "${name}" not found`));
    if (pod.status?.phase === 'Pending')
      return send(
        answer,
        refuse(400, 'BadRequest', `container "base" in pod "${name}" is waiting to start: ContainerCreating`),
      );
    const key = `${collection}/${name}`;
    const since = Math.floor(Date.parse(query.get('sinceTime') ?? '1970-01-01T00:00:00Z') / 1000) * 1000;
    const stamps = query.get('timestamps') === 'true';
    let sent = (logs.get(key) ?? []).findIndex((line) => Date.parse(line.time) >= since);
    let bytes = 0;
    answer.writeHead(200, { 'content-type': 'text/plain' });
    answer.flushHeaders();
    const flush = () => {
      const log = logs.get(key) ?? [];
      if (sent === -1) sent = log.length;
      for (; sent < log.length; sent++) {
        const line = Buffer.from(`${stamps ? `${log[sent]!.time} ` : ''}${log[sent]!.text}\n`);
        const room = (fault?.cutAfterBytes ?? Infinity) - bytes;
        bytes += line.length;
        if (room >= line.length) answer.write(line);
        else return void answer.write(line.subarray(0, Math.max(0, room)), () => answer.socket?.destroy());
      }
      const there = collectionOf(collection).get(name);
      if (query.get('follow') === 'true' && there && !hasEnded(there)) return;
      answer.end(fault?.lastWords ?? '');
    };
    const waiting = followers.get(key) ?? new Set();
    followers.set(key, waiting.add(flush));
    answer.on('close', () => waiting.delete(flush));
    flush();
  }

  function send(answer: ServerResponse, { status, body }: { status: number; body: object }, headers = {}): void {
    answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  }

  function takeFault(verb: string, resource: string, query: URLSearchParams): Fault | undefined {
    const fault = faults.find(
      (each) =>
        each.verb === verb &&
        (each.resource ?? resource) === resource &&
        (each.withParameter === undefined || query.has(each.withParameter)),
    );
    if (!fault) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
    return fault;
  }

  function carryOut(verb: string, { collection, namespace, name }: Target, body: KubePod) {
    const there = collectionOf(collection).get(name);
    if (verb === 'create') return create(collection, namespace, body);
    if (!there) return refuse(404, 'NotFound', `pods "${name}" not found`);
    if (verb === 'get') return { status: 200, body: there };
    const uid = (body as { preconditions?: { uid?: string } } | undefined)?.preconditions?.uid;
    if (uid && uid !== there.metadata?.uid)
      return refuse(409, 'Conflict', 'the UID in the precondition does not match');
    remove(collection, name);
    return { status: 200, body: there };
  }

  interface Target {
    collection: string;
    namespace: string;
    name: string;
  }

  async function handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    answer.setHeader('date', clock().toUTCString());
    const url = new URL(request.url ?? '/', 'http://fake');
    const body = await text(request);
    authorizations.add(request.headers.authorization ?? '');
    const [, root = '', namespace = '', plural = '', name = '', sub] = PATHS.exec(url.pathname) ?? [];
    if (url.pathname === '/version') return send(answer, { status: 200, body: { gitVersion: 'v1.30.0-fake' } });
    if (!plural) return send(answer, refuse(404, 'NotFound', `no such path: ${url.pathname}`));
    const resource = sub ? `${plural}/${sub}` : plural;
    const reads = name ? 'get' : url.searchParams.has('watch') ? 'watch' : 'list';
    const verb = request.method === 'POST' ? 'create' : request.method === 'DELETE' ? 'delete' : reads;
    counts.set(`${verb} ${resource}`, (counts.get(`${verb} ${resource}`) ?? 0) + 1);
    const target = { collection: `${root}/namespaces/${namespace}/${plural}`, namespace, name };
    const fault = takeFault(verb, resource, url.searchParams);
    const wait = (verb === 'create' ? latency : 0) + (fault?.delayMs ?? 0);
    if (wait > 0) await sleep(wait);
    if (fault?.carriedOut) carryOut(verb, target, JSON.parse(body || 'null'));
    if (fault?.drop) return void request.socket.destroy();
    if (fault?.status) {
      const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
      return send(answer, refuse(fault.status, fault.reason ?? '', fault.message ?? `status ${fault.status}`), headers);
    }
    if (verb === 'watch') return watch(target.collection, url.searchParams, answer);
    if (verb === 'list') return send(answer, list(target.collection, url.searchParams));
    if (sub === 'log') return sendLog(target.collection, name, url.searchParams, answer, fault);
    send(answer, carryOut(verb, target, JSON.parse(body || 'null')));
  }

  const server = createServer((request, answer) => {
    handle(request, answer).catch((error: unknown) => answer.destroy(error as Error));
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials: ClusterCredentials & { kind: 'token' } = {
    kind: 'token',
    server: url,
    token: 'fake-token-of-the-stand-in',
    ca: null,
    insecure: true,
  };

  return {
    url,
    credentials,
    /** Requests by `verb resource`, such as `create pods` and `get pods/log`. */
    counts,
    count: (verb: string, resource = 'pods') => counts.get(`${verb} ${resource}`) ?? 0,
    /** Who asked, as the header says it. */
    authorizations,
    /** TCP connections so far. */
    connections: () => connections,
    /** Closes connections on which no request is under way, as servers do after a while. */
    closeIdle: () => server.closeIdleConnections(),
    /** Faults are taken in their order, each by the first request it fits. */
    fail: (fault: Fault) => void faults.push(fault),
    /** No more faults. */
    heal: () => void faults.splice(0),
    pods: (namespace: string) => [...collectionOf(podsOf(namespace)).values()],
    pod: (namespace: string, name: string) => collectionOf(podsOf(namespace)).get(name) ?? null,
    change: (namespace: string, name: string, edit: (pod: KubePod) => void) => change(podsOf(namespace), name, edit),
    /** As somebody else would. */
    remove: (namespace: string, name: string) => remove(podsOf(namespace), name),
    /** Lines of a container's log; a line of text is written now. */
    write: (namespace: string, name: string, lines: (string | LogLine)[]) => write(podsOf(namespace), name, lines),
    /** Something in the place of an object, however broken. */
    tellWatchers: (line: string) => watchers.forEach(({ answer }) => answer.write(line)),
    /** Watches stay open and say nothing more, not even bookmarks. */
    silence(on: boolean): void {
      silent = on;
    },
    /** `reset`: as when the server dies; otherwise as when it ends them in good order. */
    endWatches(how: 'reset' | 'end'): void {
      for (const { answer } of watchers)
        if (how === 'end') answer.end();
        else answer.socket?.destroy();
    },
    /** Watches from any version known so far are too old. */
    compact(): void {
      version += 1;
      oldest = version;
    },
    watching: () => watchers.size,
    /** Logs that somebody follows. */
    following: () => [...followers.values()].reduce((sum, { size }) => sum + size, 0),
    /** Told so far, to all watches. */
    bookmarks: () => bookmarks,
    setQuota(pods: number): void {
      quota = pods;
    },
    setCreateLatency(ms: number): void {
      latency = ms;
    },
    async close(): Promise<void> {
      timers.forEach(clearTimeout);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
