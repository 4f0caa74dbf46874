"""The names that a task function may ask for as arguments: ds, params, ti, dag_run, ..."""

from datetime import datetime, timezone
from json import dumps, load, loads

from millrace import Fail

MAX_EXTRA_LENGTH = 65536


def parse_time(text):
    if text is None:
        return None
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


class Record:
    """Attributes from keyword arguments."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __repr__(self):
        return "<%s>" % ", ".join("%s=%r" % item for item in self.__dict__.items())


def value_of(xcom):
    """The value of a result; a large one is read from the file that it was fetched into."""
    artifact = xcom.get("artifact")
    if artifact is None:
        return xcom["value"]
    with open(artifact["path"], encoding="utf-8") as file:
        return load(file)


def value_of_all(xcoms):
    """The result of a task, or the list of a mapped task's results, in the order of its instances."""
    if any(xcom["mapIndex"] >= 0 for xcom in xcoms):
        return [value_of(xcom) for xcom in sorted(xcoms, key=lambda xcom: xcom["mapIndex"])]
    return value_of(xcoms[0])


class TaskInstance(Record):
    """`ti`: this try, the results of the tasks before it, and its own further results."""

    def __init__(self, xcoms, push, **fields):
        super().__init__(**fields)
        self._xcoms = xcoms
        self._push = push

    def xcom_pull(self, task_ids=None, key="return_value", default=None):
        """The result of a task, a list of results for a list of tasks or for a mapped task; `default` where there is none."""
        if task_ids is None or isinstance(task_ids, (list, tuple, set)):
            ids = {xcom["taskId"]: None for xcom in self._xcoms} if task_ids is None else task_ids
            return [self.xcom_pull(task_id, key, default) for task_id in ids]
        found = [xcom for xcom in self._xcoms if xcom["taskId"] == task_ids and xcom["key"] == key]
        if not found:
            return default
        return value_of_all(found)

    def xcom_push(self, key, value):
        self._push(key, value)


class MissingValue(Exception):
    """A variable or connection that the task names and that is not there."""


class Values:
    """Variables or connections by attribute, by key, or by get(name, default)."""

    def __init__(self, what, values, unreadable, read=lambda value: value):
        self._what, self._values, self._unreadable, self._read = what, values, unreadable, read

    def __getitem__(self, name):
        if name in self._values:
            return self._read(self._values[name])
        known = self._unreadable.get("%s %s" % (self._what, name))
        plural = {"variable": "variables", "connection": "connections"}[self._what]
        raise MissingValue(
            known or "The task has no %s '%s'. Create it, and name it in the task's '%s' if its code asks for it." % (self._what, name, plural)
        )

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def get(self, name, default=None):
        return self[name] if name in self._values else default


class Connection(Record):
    """id, kind, host, port, schema, login, password, and extra as a dict."""

    def __repr__(self):
        return "<Connection %s>" % self.id


class AssetEvent(Record):
    """asset, timestamp, extra, and source_dag_id, source_task_id, source_run_id, source_map_index: None where something outside has said so."""


def asset_events(events):
    """What the run was made for: by asset, oldest first."""
    found = {}
    for event in events:
        source = event["source"] or {}
        found.setdefault(event["asset"], []).append(
            AssetEvent(
                asset=event["asset"],
                timestamp=parse_time(event["at"]),
                extra=event["extra"],
                source_dag_id=source.get("dagId"),
                source_task_id=source.get("taskId"),
                source_run_id=source.get("runKey"),
                source_map_index=source.get("mapIndex"),
            )
        )
    return found


class Assets:
    """`assets`: what the events of the task's outlets say, once it has succeeded."""

    def __init__(self, task_id, outlets, push):
        self._task_id, self._outlets, self._push, self._extras = task_id, outlets, push, {}

    def emit(self, asset, extra=None):
        """The last call for an asset counts; an asset of which nothing is said has an event all the same."""
        if asset not in self._outlets:
            raise Fail("Task '%s' has no outlet '%s': name it in the task's 'outlets'." % (self._task_id, asset))
        value = {} if extra is None else extra
        if not isinstance(value, dict):
            raise Fail("What asset '%s' is to say is not a dict." % asset)
        self._extras[asset] = value
        self._push("millrace.assets", dict(self._extras))
        length = len(dumps(self._extras))
        if length > MAX_EXTRA_LENGTH:
            raise Fail("Its assets are to say %d characters as JSON; at most %d are allowed." % (length, MAX_EXTRA_LENGTH))


def task_context(request, push):
    """Every context name with its value. Names without a value (`ds` of a run without logical date) are missing."""
    run = request["run"]
    logical_date = parse_time(run["logicalDate"])
    ti = TaskInstance(
        request["xcoms"],
        push,
        dag_id=request["dagId"],
        task_id=request["taskId"],
        run_id=run["runKey"],
        map_index=request["mapIndex"],
        try_number=request["tryNumber"],
        max_tries=request["maxTries"],
    )
    variables = Values("variable", request["variables"], request["unreadable"])
    connections = Values("connection", request["connections"], request["unreadable"], lambda fields: Connection(**fields))
    names = {
        "variable": lambda key: variables[key],
        "connection": lambda name: connections[name],
        "var": Record(value=variables, json=Values("variable", request["variables"], request["unreadable"], loads)),
        "conn": connections,
        "ti": ti,
        "task_instance": ti,
        "params": run["params"],
        "conf": run["conf"],
        "assets": Assets(request["taskId"], request["outlets"], push),
        "triggering_asset_events": asset_events(run.get("assetEvents") or []),
        "map_index": request["mapIndex"],
        "map_item": request["mapItem"],
        "run_id": run["runKey"],
        "dag_id": request["dagId"],
        "task_id": request["taskId"],
        "dag": Record(dag_id=request["dagId"]),
        "task": Record(task_id=request["taskId"]),
        "logical_date": logical_date,
        "data_interval_start": parse_time(run["dataIntervalStart"]),
        "data_interval_end": parse_time(run["dataIntervalEnd"]),
        "dag_run": Record(
            run_id=run["runKey"],
            run_type=run["kind"],
            conf=run["conf"],
            logical_date=logical_date,
            data_interval_start=parse_time(run["dataIntervalStart"]),
            data_interval_end=parse_time(run["dataIntervalEnd"]),
            start_date=parse_time(run["startedAt"]),
            triggering_user_name=run["triggeredBy"],
        ),
    }
    if logical_date is not None:
        utc = logical_date.astimezone(timezone.utc)
        names["ds"] = utc.strftime("%Y-%m-%d")
        names["ds_nodash"] = utc.strftime("%Y%m%d")
        names["ts"] = utc.isoformat()
        names["ts_nodash"] = utc.strftime("%Y%m%dT%H%M%S")
    names.update(request["mapItem"] or {})
    return names
