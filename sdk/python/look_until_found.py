"""Sensors in Python: the function is asked again until it finds what it looks for; or it says when to ask again."""

import sys
import time
import traceback

from millrace import Fail, PokeResult, Skip


def read_look(value):
    """Found or not, and what."""
    if isinstance(value, PokeResult):
        return value.done, value.value
    return bool(value), None if value is True else value


def interval(poke, pokes):
    if poke["backoff"] == 1:
        return poke["interval"]
    return min(poke["interval"] * poke["backoff"] ** pokes, poke["maxWait"])


def timed_out(poke, note):
    return {
        "outcome": "skipped" if poke["softFail"] else "failed",
        "cause": "wait_timeout",
        "message": "It was not there within %g s.%s" % (poke["timeout"], " Last seen: %s" % note if note else ""),
        "retryable": False,
    }


def after_error(poke, error, is_over):
    """How the task ends by a failing look; None: it goes on. Raises what is to fail the task in the usual way."""
    if is_over:
        return timed_out(poke, str(error) or type(error).__name__)
    if poke["error"] == "ignore":
        traceback.print_exc()
        return None
    if poke["error"] == "skip" or poke["softFail"]:
        traceback.print_exc()
        return {"outcome": "skipped", "cause": "poke_failed", "message": str(error) or type(error).__name__}
    raise error


def look_until_found(poke, look):
    """How the task goes on, and what was found."""
    start = time.monotonic()
    pokes = poke["pokes"]
    while True:
        done, value = False, None
        try:
            done, value = read_look(look())
        except (Skip, Fail):
            raise
        except Exception as error:
            end = after_error(poke, error, time.monotonic() - start >= poke["timeLeft"])
            if end is not None:
                return end, None
        if done:
            return {"outcome": "success"}, value
        left = poke["timeLeft"] - (time.monotonic() - start)
        if left <= 0:
            return timed_out(poke, None), None
        seconds = min(interval(poke, pokes), left)
        if poke["mode"] == "reschedule":
            return {"outcome": "rescheduled", "afterSeconds": seconds}, None
        sys.stdout.flush()
        time.sleep(seconds)
        pokes += 1
