import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

const WRITE = `
import sys, zipfile
folder, name, version, value = sys.argv[1:]
info = f"{name}-{version}.dist-info"
files = {
    f"{name}.py": f"VALUE = {value!r}\\ndef main():\\n    print(VALUE)\\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{info}/entry_points.txt": f"[console_scripts]\\nsay-{name} = {name}:main\\n",
}
record = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, text in {**files, f"{info}/RECORD": record}.items():
        wheel.writestr(path, text)
`;

/** A package with a module of its name, whose VALUE is `value`, and a command \`say-<name>\` that prints it. */
export function writeWheel(folder: string, name: string, value: string, version = '1.0'): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('python3', ['-c', WRITE, folder, name, version, value]);
}
