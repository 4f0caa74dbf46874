/** Between ws and graphql-ws: as its own adapter, but what a client does wrong goes to our log and not to the console. */
import type { IncomingMessage } from 'node:http';
import { CloseCode, handleProtocols, type Server } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Logger } from '../log.ts';

export interface SocketExtra {
  socket: WebSocket;
  request: IncomingMessage;
}

export interface SocketAdapterOptions {
  maxPayload: number;
  pingMs: number;
  log: Logger;
}

export function createSocketServer<Extra extends SocketExtra>(
  protocol: Server<Extra>,
  { maxPayload, pingMs, log }: SocketAdapterOptions,
): WebSocketServer {
  const server = new WebSocketServer({ noServer: true, maxPayload, handleProtocols });
  server.on('connection', (socket, request) => {
    // It closes by itself then, with the code that says why
    socket.on('error', (error) => log.debug({ error }, 'a socket broke'));
    const stopPinging = ping(socket, pingMs);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) =>
          socket.on('message', (data) => {
            handle(String(data)).catch((error: unknown) => {
              log.error({ error }, 'a message could not be handled');
              socket.close(CloseCode.InternalServerError, 'Internal server error');
            });
          }),
      },
      { socket, request } as Extra,
    );
    socket.once('close', (code, reason) => {
      stopPinging();
      closed(code, String(reason)).catch((error: unknown) => log.error({ error }, 'a socket did not close cleanly'));
    });
  });
  return server;
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** A peer that vanished without a word is noticed within two pings. */
function ping(socket: WebSocket, everyMs: number): () => void {
  let isAlive = true;
  socket.on('pong', () => (isAlive = true));
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, everyMs);
  return () => clearInterval(timer);
}

/** Tells every client to come back, to this or another server. */
export async function closeSocketServer(server: WebSocketServer): Promise<void> {
  for (const socket of server.clients) socket.close(1001, 'Going away');
  const patience = setTimeout(() => {
    for (const socket of server.clients) socket.terminate();
  }, CLOSE_PATIENCE_MS);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(patience);
}

const CLOSE_PATIENCE_MS = 2_000;
