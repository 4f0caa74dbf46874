"""Makes expected.json: what Jinja2 itself gives for the templates of templates.json.

Run by hand when a template is added (pip install jinja2): python3 test/helpers/jinja/make-table.py. The tests only read the table.
"""

import json
import os
from datetime import datetime, timedelta, timezone

from jinja2 import StrictUndefined, __version__
from jinja2.sandbox import SandboxedEnvironment

FOLDER = os.path.dirname(os.path.abspath(__file__))


def load(value):
    """JSON with dates: {"$date": "2026-01-02T03:04:05+00:00"}."""
    if isinstance(value, dict):
        return datetime.fromisoformat(value["$date"]) if "$date" in value else {k: load(v) for k, v in value.items()}
    return [load(item) for item in value] if isinstance(value, list) else value


def environment():
    env = SandboxedEnvironment(undefined=StrictUndefined, extensions=["jinja2.ext.do"], cache_size=0)
    env.filters["ds"] = lambda d: d.strftime("%Y-%m-%d")
    env.filters["ds_nodash"] = lambda d: d.strftime("%Y%m%d")
    env.filters["ts"] = lambda d: d.isoformat()
    env.filters["ts_nodash"] = lambda d: d.strftime("%Y%m%dT%H%M%S")
    env.filters["ts_nodash_with_tz"] = lambda d: d.isoformat().replace("-", "").replace(":", "")
    return env


class Macros:
    datetime, timedelta, json = datetime, timedelta, json

    @staticmethod
    def ds_add(ds, days):
        return (datetime.strptime(ds, "%Y-%m-%d") + timedelta(days)).strftime("%Y-%m-%d")

    @staticmethod
    def ds_format(ds, input_format, output_format):
        return datetime.strptime(ds, input_format).strftime(output_format)


def main():
    with open(os.path.join(FOLDER, "templates.json")) as file:
        table = json.load(file)
    env, context = environment(), load(table["context"])
    rows = []
    for template in table["templates"]:
        try:
            row = {"template": template, "output": env.from_string(template).render(**context, macros=Macros)}
        except Exception as error:
            row = {"template": template, "error": "%s: %s" % (type(error).__name__, error)}
        rows.append(row)
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump({"jinja2": __version__, "context": table["context"], "rows": rows}, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
