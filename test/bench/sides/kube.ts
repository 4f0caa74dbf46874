/** The stand-in for a cluster, in a process of its own: what it costs is not the launcher's. */
import { startFakeKube, type FakeKube } from '../../helpers/fake-kube.ts';
import { serveSide } from './serve.ts';

/** A Pod that is taken at once and does next to nothing, with a line of output. */
const SCRIPT = { scheduleMs: 5, startMs: 20, runMs: 50, log: ['hello'] };

let opened: FakeKube | null = null;
let created: number[] = [];
const kube = () => {
  if (!opened) throw new Error('nothing is open');
  return opened;
};

serveSide({
  async open({ createLatencyMs }: { createLatencyMs: number }) {
    created = [];
    opened = await startFakeKube({
      createLatencyMs,
      script() {
        created.push(performance.now());
        return SCRIPT;
      },
    });
    return opened.credentials;
  },
  /** Since the last call: requests by verb and resource, and from the first creation to the last. */
  take() {
    const requests = Object.fromEntries(kube().counts);
    const createMs = created.length < 2 ? 0 : created.at(-1)! - created[0]!;
    const creations = created.length;
    kube().counts.clear();
    created = [];
    return { requests, creations, createMs };
  },
  async close() {
    await opened?.close();
    opened = null;
  },
});
