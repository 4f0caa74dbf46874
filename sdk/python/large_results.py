"""Results too large for a report: in a file, from where the worker uploads them. As server/runner/large-results.ts does."""

import os
import re

INLINE_BYTES = 64 * 1024
# Of all values of one report together.
INLINE_TOTAL = 256 * 1024
PREVIEW_CHARACTERS = 1000
MOST_KEYS = 200
# NUL, and halves of surrogate pairs: PostgreSQL's JSON holds neither.
UNSTORABLE = re.compile(
    r"(?<!\\)(?:\\\\)*(?:\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2})"
)


def size(count):
    return "%.1f MiB" % (count / 2**20) if count >= 2**20 else "%d KiB" % -(-count // 1024)


def spill_results(texts, room):
    """(texts that stay, files by key, why they cannot be kept or None); `texts` is JSON by key."""
    if len(texts) > MOST_KEYS:
        return {}, {}, "%d results; at most %d are kept." % (len(texts), MOST_KEYS)
    kept, files, inline = {}, {}, 0
    for key, text in texts.items():
        data = text.encode()
        what = "The return value" if key == "return_value" else "The result '%s'" % key[:60]
        if "\\u" in text and UNSTORABLE.search(text):
            return {}, {}, (
                "%s has a NUL character or half of a surrogate pair in a string, which cannot be stored. Return text, not bytes."
                % what
            )
        if len(data) > room["limit"]:
            return {}, {}, (
                "%s has %s as JSON, more than the limit of %s. Write large data to a file or table and return where it is."
                % (what, size(len(data)), size(room["limit"]))
            )
        if len(data) <= INLINE_BYTES and inline + len(data) <= INLINE_TOTAL:
            inline += len(data)
            kept[key] = text
        else:
            files[key] = to_file(text, data, room["dir"])
    return kept, files, None


def to_file(text, data, folder):
    # Only where it is needed: they cost every task a part of its start.
    from hashlib import sha256
    from uuid import uuid4

    path = os.path.join(folder, "result-%s.json" % uuid4())
    with open(path, "wb") as file:
        file.write(data)
    return {"path": path, "bytes": len(data), "hash": sha256(data).hexdigest(), "preview": text[:PREVIEW_CHARACTERS]}
