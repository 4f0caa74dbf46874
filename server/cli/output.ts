/** Results go to stdout, all else to stderr. */
export const printLine = (text: string): void => void process.stdout.write(`${text}\n`);
export const printNote = (text: string): void => void process.stderr.write(`${text}\n`);
export const printJson = (value: unknown): void => printLine(JSON.stringify(value, null, 2));
/** One value per line, for output that goes on. */
export const printJsonLine = (value: unknown): void => printLine(JSON.stringify(value));

/** Columns by name, as wide as their widest value. */
export function printTable(rows: { [column: string]: string | number | null | undefined }[], empty: string): void {
  if (rows.length === 0) return printNote(empty);
  const columns = Object.keys(rows[0]!);
  const lines = [
    columns.map((column) => column.toUpperCase()),
    ...rows.map((row) => columns.map((column) => String(row[column] ?? ''))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)));
  for (const line of lines)
    printLine(
      line
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    );
}

/** `1.2 s`, `3 min 05 s`; empty while something is missing. */
export function formatDuration(from: string | null, to: string | null): string {
  if (!from || !to) return '';
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}

/** Local time to the second. */
export const formatTime = (time: string | null): string => (time ? new Date(time).toLocaleString('sv-SE') : '');
