import { createClient, type Client } from 'graphql-ws';
import { connection } from '../state/connection.svelte.ts';

const PING_EVERY_MS = 5000;
const PONG_WITHIN_MS = 2500;
const LONGEST_WAIT_MS = 2000;

/** Waits between attempts to reconnect, shortened when the browser says that the network or the tab is back. */
function createRetryWait() {
  let wake = () => {};
  const wait = (retries: number) =>
    new Promise<void>((resolve) => {
      const ms = retries === 0 ? 100 : Math.min(LONGEST_WAIT_MS, 250 * 2 ** retries) * (0.75 + Math.random() / 4);
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  return { wait, wakeNow: () => wake() };
}

export interface LiveSocket {
  client: Client;
  retryNow(): void;
}

interface AccessHandlers {
  /** The service no longer knows the session. */
  onEnded(): void;
  /** The session goes on with other rights. */
  onChanged(): void;
}

const UNAUTHORISED = 4401;
const ACCESS_CHANGED = 4001;

/** The one WebSocket of the page. */
export function createLiveSocket(url: string, access: AccessHandlers): LiveSocket {
  const retry = createRetryWait();
  let socket: WebSocket | null = null;
  let heardAt = Date.now();
  let pongTimer: ReturnType<typeof setTimeout> | undefined;

  const client = createClient({
    url,
    lazy: true,
    // A page change closes its subscriptions before the next page opens others: keep the socket in between.
    lazyCloseTimeout: 5000,
    keepAlive: PING_EVERY_MS,
    retryAttempts: Infinity,
    retryWait: retry.wait,
    shouldRetry: () => true,
    on: {
      connecting: () => connection.connecting(),
      opened: (opened) => (socket = opened as WebSocket),
      connected: (_socket, _payload, isRetry) => void connection.opened(isRetry),
      message: () => (heardAt = Date.now()),
      // A connection can die without a close event (sleep, a lost route): no pong in time means lost.
      ping: (received) => {
        if (received) return;
        const asked = socket;
        pongTimer = setTimeout(() => {
          if (asked?.readyState !== WebSocket.OPEN) return;
          connection.lost(heardAt);
          client.terminate();
        }, PONG_WITHIN_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(pongTimer);
      },
      closed: (event) => {
        clearTimeout(pongTimer);
        const code = (event as CloseEvent).code;
        if (code === UNAUTHORISED) access.onEnded();
        if (code === ACCESS_CHANGED) access.onChanged();
        if (code === 1000) connection.released();
        else connection.lost(code === 4499 ? heardAt : Date.now());
      },
    },
  });
  const wakeWhenVisible = () => document.visibilityState === 'visible' && retry.wakeNow();
  window.addEventListener('online', retry.wakeNow);
  document.addEventListener('visibilitychange', wakeWhenVisible);
  return { client, retryNow: retry.wakeNow };
}
