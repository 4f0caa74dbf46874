/** What Git printed, for people. Pure. */
import { GitProblem } from './git-problem.ts';

const MOST = 1_000;

const CAUSES: [RegExp, string][] = [
  [/cannot run ssh|ssh: (command )?not found/i, 'There is no ssh where the scheduler runs: install it there.'],
  [
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled|HTTP 401|error: 401/i,
    'The server does not accept the credentials, or wants some.',
  ],
  [/HTTP 403|error: 403/i, 'The credentials do not give access to this repository.'],
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION/i,
    'The host key of the server is not among the known hosts: give its line of "ssh-keyscan", once you have checked it.',
  ],
  [
    /Permission denied \(|Load key .*(invalid|error)/i,
    'The server does not accept the key. Is its public half among the deploy keys of the repository?',
  ],
  [
    /redirect|unable to update url base|returned error: 30\d/i,
    'The server sends Git to another address, which is not followed: give the address of the repository itself.',
  ],
  [
    /SSL certificate problem|server certificate verification failed/i,
    'The certificate of the server is not trusted: SSL_CERT_FILE of the scheduler can name the authority that signs it.',
  ],
  [/Could not resolve host/i, 'The host cannot be found.'],
  [
    /Connection refused|Failed to connect|Connection timed out|Operation timed out|No route to host|Connection reset|Operation too slow/i,
    'The server cannot be reached.',
  ],
  [
    /not found|does not appear to be a git repository|Repository .* does not exist/i,
    'There is no such repository, or the credentials do not show it.',
  ],
  [/transport '.*' not allowed/i, 'This way to reach a repository is not allowed.'],
];

/** `secrets`: what must not be shown, whatever the server repeats. */
export function explainGitError(stderr: string, code: number | null, secrets: readonly string[]): GitProblem {
  const said = masked(stderr, secrets)
    .replace(/[^\P{Cc}\n]/gu, '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join(' / ')
    .slice(-MOST);
  const cause = CAUSES.find(([pattern]) => pattern.test(said))?.[1] ?? 'The repository could not be read.';
  return new GitProblem(`${cause} Git said: ${said || `nothing, and ended with code ${code}`}`);
}

function masked(text: string, secrets: readonly string[]): string {
  let result = text.replace(/(\/\/)[^/@\s]*@/g, '$1');
  for (const secret of secrets) if (secret !== '') result = result.replaceAll(secret, '•••');
  return result;
}
