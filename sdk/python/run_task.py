"""Runs one task in a freshly forked process and writes how it ended, as JSON, to the result pipe."""

import atexit
import importlib.util
import inspect
import linecache
import os
import sys
import threading
import traceback

# By name: what a task does to these modules must not reach its own report.
from json import dumps

from large_results import spill_results
from look_until_found import look_until_found
from millrace import Fail, Skip
from task_context import MissingValue, task_context, value_of_all


class InvalidResult(Exception):
    """A result that is not JSON."""


def to_json(value, what):
    try:
        return dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidResult(
            "What %s is not JSON: %s. Use dicts, lists, strings, finite numbers, True, False and None." % (what, error)
        ) from error


def accepted(function, names):
    """Those of the names that the function has parameters for."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return names
    wanted = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {name: value for name, value in names.items() if name in wanted}


def load_file(folder, file):
    path = os.path.join(folder, file)
    if not os.path.isfile(path):
        raise Fail("%s is not in the bundle of this DAG. Deploy the DAG again." % file)
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def call(request, context, kwargs):
    if request["callable"] is not None:
        file, _, path = request["callable"].rpartition(":")
        function = load_file(request["bundleDir"] or "", file)
        for part in path.split("."):
            if not hasattr(function, part):
                raise Fail("%s has no function '%s'." % (file, path))
            function = getattr(function, part)
    else:
        if request["bundleDir"]:
            sys.path.insert(0, request["bundleDir"])
        source, name = request["source"], "<%s>" % request["taskId"]
        # Lets the traceback show the lines of inline source.
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        scope = {"__name__": "__millrace__", "__builtins__": __builtins__}
        exec(compile(source, name, "exec"), scope if "def main" in source else {**context, **kwargs, **scope})
        function = scope.get("main")
        if function is None:
            return None
    return function(**{**accepted(function, {k: v for k, v in context.items() if k not in kwargs}), **kwargs})


def own_frames(error):
    """The traceback without the frames of this file and of the import system."""
    tb = error.__traceback__
    while tb is not None and (tb.tb_frame.f_code.co_filename == __file__ or "importlib" in tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return "".join(traceback.format_exception(type(error), error, tb))


def class_name(base):
    module = base.__module__
    return base.__qualname__ if module in ("builtins", "__main__", "__millrace__") else "%s.%s" % (module, base.__qualname__)


def failure(error, cause="exception", retryable=True, stack=None):
    name = type(error).__name__
    message = str(error) or name
    return {
        "outcome": "failed",
        "cause": cause,
        "message": message,
        "name": name,
        "exceptions": [class_name(base) for base in type(error).__mro__ if base is not object],
        "stack": stack,
        "retryable": retryable,
    }


def outcome_of(request):
    """How the task ended, and its results as JSON texts by key. The exit code is not None if the task asked for one."""
    pushed = {}

    def push(key, value):
        pushed[str(key)] = to_json(value, "task '%s' pushed as '%s'" % (request["taskId"], key))

    try:
        end = {"outcome": "success"}
        large = {name: value_of_all(xcoms) for name, xcoms in request["largeInputs"].items()}
        kwargs = {**large, **request["kwargs"]}
        if request["poke"]:
            end, value = look_until_found(request["poke"], lambda: call(request, task_context(request, push), kwargs))
        else:
            value = call(request, task_context(request, push), kwargs)
        if request["kind"] == "short_circuit":
            value = bool(value)
        elif request["kind"] == "branch" and isinstance(value, (set, frozenset)):
            value = sorted(value)
        if value is not None:
            pushed["return_value"] = to_json(value, "task '%s' returned" % request["taskId"])
        return end, pushed, None
    except Skip as error:
        return {"outcome": "skipped", "message": str(error) or "Skipped by the task."}, pushed, None
    except InvalidResult as error:
        return {"outcome": "failed", "cause": "result_invalid", "message": str(error), "retryable": False}, {}, None
    except MissingValue as error:
        return {"outcome": "failed", "cause": "value_missing", "message": str(error), "retryable": False}, {}, None
    except Fail as error:
        stack = own_frames(error)
        print(stack, file=sys.stderr, end="")
        return failure(error, retryable=False, stack=stack), pushed, None
    except SystemExit as error:
        if error.code in (None, 0):
            return {"outcome": "success"}, pushed, None
        if not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        return None, {}, error.code & 0xFF if isinstance(error.code, int) else 1
    except BaseException as error:
        stack = own_frames(error)
        print(stack, file=sys.stderr, end="")
        cause = "oom_killed" if isinstance(error, MemoryError) and request["memoryLimit"] else "exception"
        return failure(error, cause=cause, stack=stack), pushed, None


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def run_task(request, result_fd):
    outcome, pushed, exit_code = outcome_of(request)
    for finish in (threading._shutdown, atexit._run_exitfuncs, sys.stdout.flush, sys.stderr.flush):
        try:
            finish()
        except Exception:
            traceback.print_exc()
    if outcome is None:
        return exit_code
    if outcome["outcome"] == "success":
        pushed, files, problem = spill_results(pushed, request["room"])
        if problem:
            outcome = {"outcome": "failed", "cause": "result_invalid", "message": problem, "retryable": False}
        elif files:
            outcome["files"] = files
    body = dumps(outcome)
    if pushed:
        xcoms = ", ".join("%s: %s" % (dumps(key), text) for key, text in pushed.items())
        body = '%s, "xcoms": {%s}}' % (body[:-1], xcoms)
    write_all(result_fd, body.encode())
    return 0 if outcome["outcome"] != "failed" else 1
