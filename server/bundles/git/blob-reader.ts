/** Takes `git cat-file --batch` apart: `<sha> blob <size>`, a line end, the content, a line end. */

export interface Blob {
  sha: string;
  content: Buffer;
}
export interface BlobReader {
  /** Those that are complete with this. */
  push(chunk: Buffer): Blob[];
  /** Throws when something is missing. */
  end(): void;
}

export function createBlobReader(): BlobReader {
  let pending: Buffer[] = [];
  let size = 0;
  let head: { sha: string; bytes: number } | null = null;

  const take = (bytes: number): Buffer => {
    const whole = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    pending = [whole.subarray(bytes)];
    size -= bytes;
    return whole.subarray(0, bytes);
  };
  const readHead = (): boolean => {
    pending = [Buffer.concat(pending)];
    const end = pending[0]!.indexOf(10);
    if (end < 0) return false;
    const line = take(end + 1).toString('latin1', 0, end);
    const [, sha, bytes] = /^([0-9a-f]+) blob (\d+)$/.exec(line) ?? [];
    if (sha === undefined) throw new Error(`Git answered "${line}" for a file of the commit.`);
    head = { sha, bytes: Number(bytes) };
    return true;
  };

  return {
    push(chunk) {
      const found: Blob[] = [];
      pending.push(chunk);
      size += chunk.length;
      while (size > 0 && (head || readHead()) && head && size > head.bytes) {
        found.push({ sha: head.sha, content: take(head.bytes) });
        take(1);
        head = null;
      }
      return found;
    },
    end() {
      if (size > 0 || head) throw new Error('Git ended amid a file of the commit.');
    },
  };
}
