/** Notifications over HTTP: signed webhooks, and webhooks in the format of Slack. */
import { createHmac } from 'node:crypto';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import { DeliveryError } from './delivery-error.ts';
import type { Message } from './message.ts';

const MOST_ANSWER = 500;
const MOST_SLACK = 3_000;

export interface HttpDelivery {
  /** Stays the same when it is sent again. */
  id: number;
  event: string;
  connection: ConnectionValue;
  signal: AbortSignal;
}

/** `payload` is the documented body. Signed when the connection has a password. */
export async function sendWebhook(delivery: HttpDelivery, payload: { [key: string]: Json }, now: Date): Promise<void> {
  const { id, event, connection } = delivery;
  const body = JSON.stringify(payload);
  const secret = connection.password;
  const signature: { [name: string]: string } = secret ? { 'millrace-signature': signatureOf(secret, body, now) } : {};
  await post(delivery, addressOf(connection), body, {
    ...headersOf(connection),
    'millrace-delivery': String(id),
    'millrace-event': event,
    ...signature,
  });
}

/** `t=<Unix seconds>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`. A receiver compares it and refuses old times. */
export function signatureOf(secret: string, body: string, now: Date): string {
  const seconds = Math.floor(now.getTime() / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export async function sendSlack(delivery: HttpDelivery, { subject, text, link }: Message): Promise<void> {
  const { connection } = delivery;
  const url = connection.host ? addressOf(connection) : `https://hooks.slack.com/services/${connection.password ?? ''}`;
  const shown = escapeSlack(link ? text.replace(link, '').trimEnd() : text).slice(0, MOST_SLACK);
  const lines = [`*${escapeSlack(subject)}*`, shown, ...(link ? [`<${link}|Open in Millrace>`] : [])];
  await post(delivery, url, JSON.stringify({ text: lines.join('\n') }), headersOf(connection));
}

const escapeSlack = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** `host` may be a whole address; a host alone means https. */
function addressOf({ id, host, port, schema, extra }: ConnectionValue): string {
  const isPlain = extra['tls'] === false || extra['tls'] === 'false';
  const written = /^https?:\/\//i.test(host ?? '') ? (host ?? '') : `${isPlain ? 'http' : 'https'}://${host ?? ''}`;
  if (!URL.canParse(written))
    throw new DeliveryError(`The host of connection '${id}' is no address.`, { isFinal: true });
  const url = new URL(written);
  if (port !== null) url.port = String(port);
  if (schema && url.pathname === '/') url.pathname = `/${schema.replace(/^\//, '')}`;
  return url.href;
}

/** Further headers that the connection asks for. */
function headersOf({ extra }: ConnectionValue): { [name: string]: string } {
  const { headers } = extra;
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return {};
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}

async function post(
  { signal }: HttpDelivery,
  url: string,
  body: string,
  headers: { [name: string]: string },
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      body,
      signal,
      // An address that answers with another one is not the one that was agreed on
      redirect: 'manual',
      headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'Millrace' },
    });
  } catch (cause) {
    throw new DeliveryError(`It could not be reached: ${reasonOf(cause)}`, { cause });
  }
  const answer = await readStart(response);
  if (response.ok) return;
  const { status } = response;
  // Busy, asleep or broken may be well again later; the rest is for a person to mend
  const isFinal = status < 500 && ![408, 409, 423, 425, 429].includes(status);
  const retryAfter = retryAfterOf(response.headers.get('retry-after'));
  throw new DeliveryError(`It answered ${status}${answer ? `: ${answer}` : '.'}`, { isFinal, retryAfter });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time.';
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** A long answer is not read to its end. */
async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  let text = '';
  try {
    while (text.length < MOST_ANSWER) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
  } catch (error) {
    return `${text.slice(0, MOST_ANSWER)} (${reasonOf(error)})`;
  }
  return text.trim().slice(0, MOST_ANSWER);
}

const MOST_RETRY_AFTER = 3_600;

function retryAfterOf(header: string | null): number | null {
  if (header === null || !/^\d+$/.test(header)) return null;
  return Math.min(Number(header), MOST_RETRY_AFTER);
}
