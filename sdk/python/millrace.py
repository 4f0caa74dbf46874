"""What Python tasks import: how a task ends itself as skipped or as failed for good."""


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
