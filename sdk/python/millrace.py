"""What Python tasks import: how a task ends itself as skipped or as failed for good, and what a sensor found."""


class Skip(Exception):
    """Ends the task as skipped."""


class Fail(Exception):
    """Ends the task as failed, whatever retries it has left."""


def skip(reason="Skipped by the task."):
    """Ends the task as skipped."""
    raise Skip(reason)


def fail(reason):
    """Ends the task as failed, whatever retries it has left."""
    raise Fail(reason)


class PokeResult:
    """What a sensor's function may return instead of True or False: whether it found what it looks for, and its result."""

    def __init__(self, done, value=None):
        self.done = bool(done)
        self.value = value
