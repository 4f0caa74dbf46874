/** Where a symbolic link of a tree leads to, as the kernel would follow it. Pure. */

export interface LinkTree {
  files: ReadonlySet<string>;
  /** What each symbolic link says, by its path. */
  links: ReadonlyMap<string, string>;
}
/** `nowhere`: to nothing that is there, within the tree. */
export type LinkEnd = 'inside' | 'outside' | 'nowhere' | 'circle';

/** As the kernel's own limit. */
const MOST_STEPS = 40;

export function resolveLink(tree: LinkTree, path: string): LinkEnd {
  const folders = foldersOf(tree);
  const at: string[] = [];
  const rest = path.split('/').reverse();
  let steps = 0;
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) return 'outside';
      continue;
    }
    const here = [...at, part].join('/');
    const target = tree.links.get(here);
    if (target !== undefined) {
      if (target.startsWith('/')) return 'outside';
      if (++steps > MOST_STEPS) return 'circle';
      rest.push(...target.split('/').reverse());
      continue;
    }
    // Beyond what is not there nothing can be followed, but it must not step out on paper either
    if (!folders.has(here) && (!tree.files.has(here) || rest.length > 0))
      return leavesByName(at, [part, ...rest.reverse()]) ? 'outside' : 'nowhere';
    at.push(part);
  }
  return 'inside';
}

function foldersOf({ files, links }: LinkTree): Set<string> {
  const folders = new Set<string>();
  for (const path of [...files, ...links.keys()])
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      folders.add(path.slice(0, end));
  return folders;
}

function leavesByName(at: readonly string[], rest: readonly string[]): boolean {
  let depth = at.length;
  for (const part of rest) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return true;
  }
  return false;
}
