/** Notifications by mail, over a connection of kind smtp. */
import type { ConnectionValue } from '#sdk/protocol.ts';
import { DeliveryError } from './delivery-error.ts';
import type { Message } from './message.ts';

const TIMEOUT_MS = 10_000;
const SUBMISSION_PORT = 587;
const TLS_PORT = 465;

export interface Mail {
  id: number;
  connection: ConnectionValue;
  recipients: readonly string[];
  message: Message;
}

export async function sendEmail({ id, connection, recipients, message }: Mail): Promise<void> {
  const { extra, login } = connection;
  const to = recipients.length > 0 ? [...recipients] : textsOf(extra['to']);
  const from = textsOf(extra['from'])[0] ?? (login?.includes('@') ? login : undefined);
  if (to.length === 0)
    throw new DeliveryError(
      `Nobody is named: give 'recipients' in the rule, or 'to' in connection '${connection.id}'.`,
      { isFinal: true },
    );
  if (from === undefined)
    throw new DeliveryError(`Connection '${connection.id}' has no sender: give it a setting 'from'.`, {
      isFinal: true,
    });
  // Loaded by the first mail: most services send none
  const { createTransport } = await import('nodemailer');
  const transport = createTransport(transportOf(connection));
  try {
    await transport.sendMail({
      from,
      to,
      subject: message.subject,
      text: message.text,
      // The same when it is sent again, so that mailboxes keep one
      messageId: `<millrace.${id}.${Date.parse(message.values.started_at) || 0}@${from.split('@').at(-1)?.replace(/>.*/, '') ?? 'millrace'}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  } catch (error) {
    throw deliveryError(error);
  } finally {
    transport.close();
  }
}

/** `tls` true: from the first byte. False: never. Else as soon as the server offers it, and with a password not without it. */
function transportOf({ host, port, login, password, extra }: ConnectionValue) {
  const tls = String(extra['tls'] ?? 'starttls');
  const secure = tls === 'true';
  return {
    host: host ?? '',
    port: port ?? (secure ? TLS_PORT : SUBMISSION_PORT),
    secure,
    ignoreTLS: tls === 'false',
    requireTLS: tls === 'starttls' && login !== null,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    ...(login === null ? {} : { auth: { user: login, pass: password ?? '' } }),
  };
}

const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return value.split(',').map((one) => one.trim());
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
};

/** 5xx is a refusal; everything else may be different later. */
function deliveryError(error: unknown): DeliveryError {
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { responseCode?: unknown }).responseCode;
  return new DeliveryError(text.slice(0, 1_000), { isFinal: typeof code === 'number' && code >= 500, cause: error });
}
