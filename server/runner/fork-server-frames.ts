/** Frames of sdk/python/fork_server.py: kind (1 byte), task (4), length (4), body. */
export interface ForkFrame {
  kind: string;
  id: number;
  body: Buffer;
}

const HEADER = 9;

/** Cuts a stream into frames. */
export function createForkFrameReader(onFrame: (frame: ForkFrame) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (data.length >= HEADER) {
      const end = HEADER + data.readUInt32BE(5);
      if (data.length < end) break;
      onFrame({ kind: String.fromCharCode(data[0] ?? 0), id: data.readUInt32BE(1), body: data.subarray(HEADER, end) });
      data = data.subarray(end);
    }
    rest = data;
  };
}
