/** Asks who sits at the terminal for a decision. */
import { createInterface, type Interface } from 'node:readline/promises';
import { fillForm, type ApprovalRequest } from '#schema/approval-decision.ts';
import type { Json } from '#sdk/protocol.ts';
import { issueLines, type Answer } from './approval-answer.ts';

export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
}

/** Null: the signal came first, or there is nobody any more. */
export async function askPerson(
  { input, output }: Terminal,
  { name, request, signal }: { name: string; request: ApprovalRequest; signal: AbortSignal },
): Promise<Answer | null> {
  const say = (text: string) => void output.write(`${text}\n`);
  // The terminal's own line editing: Ctrl-C stays a signal.
  const lines = createInterface({ input, output, terminal: false });
  const gone = new AbortController();
  lines.once('close', () => gone.abort());
  const ask = (text: string) => lines.question(text, { signal: AbortSignal.any([signal, gone.signal]) });
  try {
    say(`\n${name} waits for your decision: ${request.subject}`);
    if (request.body !== null) say(request.body.replace(/^/gm, '  '));
    request.options.forEach((option, index) => say(`  ${index + 1}  ${option}`));
    const option = await askOption(ask, say, request);
    return await askForm(ask, say, request, option);
  } catch (error) {
    if ((error as Error).name === 'AbortError') return null;
    throw error;
  } finally {
    lines.close();
  }
}

type Ask = (text: string) => ReturnType<Interface['question']>;
type Say = (text: string) => void;

async function askOption(ask: Ask, say: Say, { options, default: usual }: ApprovalRequest): Promise<string> {
  for (;;) {
    const text = (await ask(`Number or name${usual === null ? '' : ` [${usual}]`}: `)).trim();
    const option = text === '' ? usual : (options[Number(text) - 1] ?? options.find((one) => one === text));
    if (option) return option;
    say(`Choose one of ${options.join(', ')}.`);
  }
}

async function askForm(ask: Ask, say: Say, request: ApprovalRequest, option: string): Promise<Answer> {
  if (request.form === null || request.rejections.includes(option)) return { option, form: {} };
  say(`It has a form: ${JSON.stringify(request.form)}`);
  for (;;) {
    const text = (await ask('Filled in, as JSON [its defaults]: ')).trim();
    const filled = fillForm(request, option, readJson(text || '{}'));
    if ('form' in filled) return { option, form: filled.form };
    issueLines(filled.issues).forEach(say);
  }
}

/** What is no JSON is no object either. */
function readJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
