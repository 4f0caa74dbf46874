"""What Python tasks import: how a task ends itself as skipped or as failed for good."""


class Skip(Exception):
    """Ends the task as skipped."""


class Fail(Exception):
    """Ends the task as failed, whatever retries it has left."""
