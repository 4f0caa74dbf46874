import { describe, expect, it } from 'vitest';
import { gitPolicyProblem } from '#sdk/git-policy.ts';
import { gitFolderProblem, gitRefProblem, readGitUrl } from '#sdk/git-url.ts';

describe('readGitUrl', () => {
  it.each([
    ['https://github.com/team/dags.git', { protocol: 'https', host: 'github.com', port: 443, user: null }],
    ['https://Git.Example.com:8443/dags', { protocol: 'https', host: 'git.example.com', port: 8443, user: null }],
    [
      'ssh://git@git.example.com:2222/team/dags.git',
      { protocol: 'ssh', host: 'git.example.com', port: 2222, user: 'git' },
    ],
    ['ssh://git@host:80/x', { protocol: 'ssh', host: 'host', port: 80, user: 'git' }],
    ['git@github.com:team/dags.git', { protocol: 'ssh', host: 'github.com', port: null, user: 'git' }],
    ['host:dags', { protocol: 'ssh', host: 'host', port: null, user: null }],
    ['http://[::1]:3000/dags', { protocol: 'http', host: '::1', port: 3000, user: null }],
    ['file:///srv/dags.git', { protocol: 'file', host: null, port: null, user: null }],
  ])('reads %s', (text, expected) => expect(readGitUrl(text)).toEqual(expected));

  it.each([
    '',
    ' https://host/x',
    '-uhttps://host/x',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c id',
    'fd::17',
    'https::https://host/x',
    'git://host/x',
    'ftp://host/x',
    'https://ada:geheim@host/x',
    'https://token@host/x',
    'ssh://-oProxyCommand=id/x',
    'ssh://-l@host/x',
    'ssh://git:geheim@host/x',
    '-oProxyCommand=id:x',
    'git@-oProxyCommand=id:x',
    'git@host:-x',
    'git@host:',
    'https://host/x?y=1',
    'https://host/x#y',
    'https://host/',
    'https:///x',
    'https://host/x\ny',
    'https://host\\@other/x',
    'file://host/x',
    '/srv/dags.git',
    '../dags.git',
    'https://host%2fother/x',
  ])('refuses %j', (text) => expect(readGitUrl(text)).toEqual(expect.any(String)));
});

describe('gitRefProblem', () => {
  it.each(['main', 'feature/x', 'v1.0.2', 'refs/tags/v1', 'a#b', 'ünï'])('takes %s', (ref) =>
    expect(gitRefProblem(ref)).toBeNull(),
  );
  it.each([
    '',
    '-x',
    '--all',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'a[',
    'a\\b',
    'a//b',
    '/a',
    'a/',
    '.a',
    'a/.b',
    'a.',
    'a.lock',
    '@',
    'a@{1}',
    'a\u0000',
  ])('refuses %j', (ref) => expect(gitRefProblem(ref)).toEqual(expect.any(String)));
});

describe('gitFolderProblem', () => {
  it.each(['', 'dags', 'team/dags', 'a b'])('takes %j', (folder) => expect(gitFolderProblem(folder)).toBeNull());
  it.each(['/', '/dags', '..', 'a/../b', './a', 'a/', 'a//b', '.git', 'a/.GIT', 'a\\b', 'a\n'])(
    'refuses %j',
    (folder) => expect(gitFolderProblem(folder)).toEqual(expect.any(String)),
  );
});

describe('gitPolicyProblem', () => {
  const problem = (text: string, hosts: string[] | null, protocols = ['https' as const]) => {
    const url = readGitUrl(text);
    if (typeof url === 'string') throw new Error(url);
    return gitPolicyProblem(url, { protocols, hosts });
  };
  it('allows the protocols and hosts that are named', () => {
    expect(problem('https://a.example.com/x', null)).toBeNull();
    expect(problem('http://a.example.com/x', null)).toContain('MILLRACE_GIT_PROTOCOLS');
    expect(problem('https://A.example.com/x', ['*.example.com'])).toBeNull();
    expect(problem('https://example.com.evil.org/x', ['*.example.com', 'example.com'])).toContain('MILLRACE_GIT_HOSTS');
    expect(problem('https://aXexample.com/x', ['a.example.com'])).toContain('MILLRACE_GIT_HOSTS');
  });
});
