import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createClusterClient } from '#server/executors/kubernetes/cluster-client.ts';
import { createLogMemory, readLogLine, type PodLogLine } from '#server/executors/kubernetes/log-lines.ts';
import { followPodLog, type FollowLogOptions } from '#server/executors/kubernetes/pod-log.ts';
import { createLineSplitter } from '#server/executors/kubernetes/split-lines.ts';
import { startFakeKube } from '../../../helpers/fake-kube.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const NAMESPACE = 'tasks';
const end = (kube: Awaited<ReturnType<typeof start>>['kube']) =>
  kube.change(NAMESPACE, 'p', (pod) => (pod.status!.phase = 'Succeeded'));

/** A Pod `p` that runs until it is told to end. */
async function start() {
  const kube = await startFakeKube({ script: () => ({ runMs: null }) });
  closing.push(kube.close);
  const client = createClusterClient({
    name: 'fake',
    credentials: kube.credentials,
    limits: { qps: 10_000, burst: 10_000, parallelCreates: 10 },
    userAgent: 'test',
  });
  closing.push(client.close);
  await client.createPod(NAMESPACE, { metadata: { name: 'p' }, spec: { containers: [{ name: 'base', image: 'x' }] } });
  await waitFor(() => kube.pod(NAMESPACE, 'p')?.status?.phase === 'Running');
  const ended = new AbortController();
  const stopping = new AbortController();
  const lines: PodLogLine[] = [];
  const retries: string[] = [];
  const follow = (more: Partial<FollowLogOptions> = {}) =>
    followPodLog({
      client,
      namespace: NAMESPACE,
      pod: 'p',
      container: 'base',
      ended: ended.signal,
      signal: stopping.signal,
      onLines: (news) => void lines.push(...news),
      onRetry: ({ message }) => retries.push(message),
      pauseMs: 1,
      mostPauseMs: 10,
      ...more,
    });
  return { kube, client, ended, stopping, lines, retries, follow, texts: () => lines.map(({ text }) => text) };
}

describe('the log of a Pod', () => {
  it('comes live, and whole when the container has ended', async () => {
    const { kube, ended, follow, texts } = await start();
    const log = follow();
    kube.write(NAMESPACE, 'p', ['one', '', '  two']);
    await waitFor(() => texts().length === 3);
    kube.write(NAMESPACE, 'p', ['three']);
    await waitFor(() => texts().length === 4);
    end(kube);
    ended.abort();
    expect(await log).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(['one', '', '  two', 'three']);
    expect(kube.count('get', 'pods/log')).toBe(2);
  });

  it('misses nothing and repeats nothing, however often the connection is cut', async () => {
    const { kube, ended, follow, texts, retries } = await start();
    const written = Array.from({ length: 2000 }, (_, i) => `line ${i} ${'é'.repeat(i % 50)}`);
    for (let cut = 1; cut <= 25; cut++) kube.fail({ verb: 'get', resource: 'pods/log', cutAfterBytes: cut * 997 + 13 });
    const log = follow();
    for (let i = 0; i < written.length; i += 100) {
      kube.write(NAMESPACE, 'p', written.slice(i, i + 100));
      await waitFor(() => texts().length > i);
    }
    end(kube);
    ended.abort();
    expect(await log).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(written);
    expect(retries.length).toBeGreaterThan(10);
  });

  it('goes on where another process stopped', async () => {
    const { kube, ended, stopping, follow, lines, texts } = await start();
    const log = follow();
    kube.write(NAMESPACE, 'p', ['a', 'b', 'c']);
    await waitFor(() => texts().length === 3);
    stopping.abort();
    expect(await log).toEqual({ complete: false, problem: 'Stopped.' });
    kube.write(NAMESPACE, 'p', ['d', 'e']);
    end(kube);
    ended.abort();
    const second = new AbortController();
    // The other one had stored no more than two of them.
    const resumeAfter = lines.slice(0, 2).map(({ time }) => time);
    const news: string[] = [];
    const onLines = (given: PodLogLine[]) => void news.push(...given.map(({ text }) => text));
    expect(await follow({ signal: second.signal, resumeAfter, onLines })).toMatchObject({ complete: true });
    expect(news).toEqual(['c', 'd', 'e']);
  });

  it("does not show a kubelet's own words as output", async () => {
    const { kube, ended, follow, texts } = await start();
    kube.fail({
      verb: 'get',
      resource: 'pods/log',
      lastWords: 'failed to try resolving symlinks in path "/var/log/x"\n',
    });
    const log = follow();
    kube.write(NAMESPACE, 'p', ['mine']);
    end(kube);
    await waitFor(() => texts().length === 1);
    ended.abort();
    expect(await log).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(['mine']);
  });

  it('is not complete when the node has removed it, or the Pod is gone', async () => {
    const removed = await start();
    end(removed.kube);
    removed.ended.abort();
    const lastWords = 'unable to retrieve container logs for containerd://abc';
    removed.kube.fail({ verb: 'get', resource: 'pods/log', lastWords: `${lastWords}\n` });
    expect(await removed.follow()).toEqual({ complete: false, problem: `The node has removed the log: ${lastWords}` });

    const gone = await start();
    const log = gone.follow();
    gone.kube.remove(NAMESPACE, 'p');
    gone.ended.abort();
    expect(await log).toEqual({ complete: false, problem: 'The Pod is gone: pods "p" not found' });
  });

  it('keeps the last line that has no newline', async () => {
    const { kube, ended, follow, texts } = await start();
    end(kube);
    ended.abort();
    const lastWords = '2026-03-01T10:00:05.000000001Z no newline';
    kube.fail({ verb: 'get', resource: 'pods/log', lastWords, times: 2 });
    kube.write(NAMESPACE, 'p', [{ time: '2026-03-01T10:00:04.5Z', text: 'first' }]);
    expect(await follow()).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(['first', 'no newline']);
  });

  it('waits for a container that has not started, and has none of one that never did', async () => {
    const { kube, ended, follow, texts, retries } = await start();
    kube.change(NAMESPACE, 'p', (pod) => (pod.status!.phase = 'Pending'));
    const log = follow();
    await waitFor(() => kube.count('get', 'pods/log') > 2);
    kube.change(NAMESPACE, 'p', (pod) => (pod.status!.phase = 'Running'));
    kube.write(NAMESPACE, 'p', ['at last']);
    await waitFor(() => texts().length === 1);
    expect(retries).toEqual([]);
    end(kube);
    ended.abort();
    expect(await log).toMatchObject({ complete: true });
    kube.change(NAMESPACE, 'p', (pod) => (pod.status!.phase = 'Pending'));
    expect(await follow()).toEqual({ complete: true, problem: null });
  });

  it('gives up some time after the end, and says why', async () => {
    const { kube, ended, follow } = await start();
    end(kube);
    ended.abort();
    kube.fail({
      verb: 'get',
      resource: 'pods/log',
      times: Infinity,
      status: 500,
      message: 'dial tcp: no route to host',
    });
    expect(await follow({ drainMs: 30 })).toEqual({
      complete: false,
      problem: 'The log could not be read: dial tcp: no route to host',
    });
  });

  it('does not wait for a stream that hangs after the end, and opens silent ones anew', async () => {
    const { kube, ended, follow, texts } = await start();
    const log = follow({ graceMs: 20, followMs: 30 });
    await waitFor(() => kube.count('get', 'pods/log') >= 3, { what: 'streams opened anew' });
    kube.write(NAMESPACE, 'p', ['last']);
    // The Pod still runs as far as the stream can tell.
    ended.abort();
    expect(await log).toEqual({ complete: true, problem: null });
    expect(texts()).toEqual(['last']);
  });

  it('reads no faster than its lines are taken', async () => {
    const { kube, ended, follow, texts } = await start();
    let release = () => {};
    let batches = 0;
    const taken: string[] = [];
    const onLines = async (news: PodLogLine[]) => {
      batches += 1;
      await new Promise<void>((resolve) => (release = resolve));
      taken.push(...news.map(({ text }) => text));
    };
    const log = follow({ onLines });
    kube.write(NAMESPACE, 'p', ['a']);
    await waitFor(() => batches === 1);
    kube.write(NAMESPACE, 'p', ['b']);
    end(kube);
    ended.abort();
    expect(batches).toBe(1);
    const freeing = setInterval(() => release(), 1);
    expect(await log).toMatchObject({ complete: true });
    clearInterval(freeing);
    expect(taken).toEqual(['a', 'b']);
    expect(texts()).toEqual([]);
    await expect(follow({ onLines: () => Promise.reject(new Error('disk full')) })).rejects.toThrow('disk full');
  });
});

describe('lines of a log', () => {
  it('are cut when they are huge', () => {
    const splitter = createLineSplitter(60);
    const stamp = '2026-03-01T10:00:00.123456789Z ';
    const [long, short] = splitter.push(Buffer.from(`${stamp}${'x'.repeat(1000)}\n${stamp}ok\n`));
    expect(readLogLine(long!)).toMatchObject({ cut: true, text: `${'x'.repeat(60 - stamp.length)}…` });
    expect(readLogLine(short!)).toEqual({ time: '2026-03-01T10:00:00.123Z', text: 'ok', stream: 'o', cut: false });
  });

  it('are whole though a kubelet put times between their pieces', () => {
    const stamp = '2026-03-01T10:00:00.123456789Z ';
    const whole = Buffer.from('é'.repeat(20_000));
    const pieces = [whole.subarray(0, 16_384), whole.subarray(16_384, 32_768), whole.subarray(32_768)];
    const bytes = Buffer.concat(pieces.flatMap((piece) => [Buffer.from(stamp), piece]));
    expect(readLogLine({ bytes, cut: false })?.text).toBe('é'.repeat(20_000));
    const single = Buffer.concat([Buffer.from(stamp), whole]);
    expect(readLogLine({ bytes: single, cut: false })?.text).toBe('é'.repeat(20_000));
  });

  it('have times of any zone', () => {
    const read = (text: string) => readLogLine({ bytes: Buffer.from(text), cut: false });
    expect(read('2026-03-01T12:00:00.5+02:00 a b')).toMatchObject({ time: '2026-03-01T10:00:00.500Z', text: 'a b' });
    expect(read('2026-03-01T12:00:00Z')).toMatchObject({ text: '' });
    expect(read('rpc error: code = NotFound')).toBeNull();
    expect(read('2026-99-99T12:00:00Z no time')).toBeNull();
  });

  it('come whole from pieces cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(30)), (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll('\n', ' '));
        const whole = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = createLineSplitter();
        const read: string[] = [];
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = (cuts[i % (cuts.length || 1)] ?? 7) + 1;
          read.push(...splitter.push(whole.subarray(at, at + size)).map(({ bytes }) => bytes.toString('utf8')));
          at += size;
        }
        expect(read).toEqual(lines.map((line) => Buffer.from(line).toString('utf8')));
        expect(splitter.rest()).toBeNull();
      }),
    );
  });

  it('are recognised after any cut, though two writers are out of order within a second', () => {
    const steps = fc.array(fc.record({ stepMs: fc.nat(700), backMs: fc.nat(900) }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.nat(), fc.nat(), (moves, stop, rotation) => {
        let clock = Date.parse('2026-03-01T10:00:00.000Z');
        const all = moves.map(({ stepMs, backMs }, i): PodLogLine => {
          clock += stepMs;
          const ms = i % 3 === 0 ? clock - backMs : clock;
          return { time: new Date(ms).toISOString(), text: `${i}`, stream: 'o', cut: false };
        });
        const had = stop % (all.length + 1);
        const memory = createLogMemory(all.slice(0, had).map(({ time }) => time));
        // The file was rotated at a place that had been read: it begins later.
        const file = all.slice(rotation % 2 === 0 ? 0 : rotation % (had + 1));
        const since = memory.since();
        const asked = file.filter(({ time }) => since === null || Date.parse(time) >= Date.parse(since));
        const isKnown = memory.recognise();
        const inOneMs = new Set(all.map(({ time }) => time)).size < all.length && rotation % 2 === 1;
        fc.pre(!inOneMs);
        expect(asked.filter((line) => !isKnown(line)).map(({ text }) => text)).toEqual(
          all.slice(had).map(({ text }) => text),
        );
      }),
    );
  });
});
