/** What the service answers a worker: a result, or why there is none and whether asking again can help. */

export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: readonly { message: string; extensions?: { code?: string } }[];
}

/** The service knows who asked and for what, and will say the same next time. */
export class ServiceRefusal extends Error {
  readonly isCredential: boolean;
  constructor(message: string, { isCredential }: { isCredential: boolean }) {
    super(message);
    this.name = 'ServiceRefusal';
    this.isCredential = isCredential;
  }
}

const CREDENTIAL_CODES = ['UNAUTHENTICATED', 'FORBIDDEN'];

/** The one field that was asked for. */
export function resultOf<T>(answer: Answer | null, httpStatus = { status: 200, statusText: 'OK' }): T {
  const [result] = Object.values(answer?.data ?? {});
  if (result && !answer?.errors?.length) return result as T;
  const { status, statusText } = httpStatus;
  const said = answer?.errors?.map((error) => error.message).join('; ') ?? `${status} ${statusText}, and no GraphQL`;
  const codes = answer?.errors?.map((error) => error.extensions?.code ?? '') ?? [];
  const isCredential = [401, 403].includes(status) || codes.some((code) => CREDENTIAL_CODES.includes(code));
  if (isCredential || codes.includes('BAD_USER_INPUT')) throw new ServiceRefusal(said, { isCredential });
  throw new Error(`The service answered: ${said}`);
}

export const resultOfResponse = async <T>(response: Response): Promise<T> =>
  resultOf<T>(parse(await response.text()), response);

/** A proxy before a service that is away answers with a page. */
function parse(text: string): Answer | null {
  try {
    return JSON.parse(text) as Answer | null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
