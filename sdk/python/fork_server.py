"""
Forks one process per Python task, so that no task pays for the start of an interpreter.

Requests come as JSON lines on stdin: {"op": "run", "id": n, ...} and {"op": "signal", "id": n, "signal": n}.
Answers go to stdout as frames: kind (1 byte), id (4), length (4), body. Kinds: V ready, S started (pid), O and E output,
R a piece of the result, X exit (JSON: code, signal, peak memory). The end of stdin kills every task.
"""

import gc
import importlib
import json
import os
import resource
import selectors
import signal
import struct
import sys
import traceback

PRELOADED = """argparse array ast asyncio base64 bisect calendar collections concurrent.futures configparser contextlib copy csv
ctypes dataclasses datetime decimal difflib email.message enum fnmatch fractions functools getpass glob gzip hashlib heapq hmac
html http.client inspect io itertools json logging math mimetypes multiprocessing operator os pathlib pickle platform pprint queue
random re secrets shutil signal socket sqlite3 ssl statistics string struct subprocess tempfile textwrap threading time traceback
types typing unicodedata urllib.parse urllib.request uuid warnings xml.etree.ElementTree zipfile zlib""".split()

HEADER = struct.Struct("!cII")
PIPE_READ = 1 << 16
OOM_SCORE = b"500"
# What is reserved far above the limit of use fails at once, between two looks at the process group's memory. Threads and
# libraries reserve much that they never use.
RESERVED_FACTOR = 2
RESERVED_SLACK = 512 << 20


def preload():
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            # A build of Python without that module: tasks that need it will say so.
            continue


class Task:
    """A running child, its id and its pipes by file descriptor."""

    def __init__(self, task_id, pid, pipes):
        self.id = task_id
        self.pid = pid
        self.pipes = pipes


class ForkServer:
    def __init__(self, requests, answers):
        self.requests = requests
        self.answers = answers
        self.buffer = b""
        self.by_pid = {}
        self.by_id = {}
        self.selector = selectors.DefaultSelector()
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(wakeup_writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        self.selector.register(requests, selectors.EVENT_READ, self.read_requests)
        self.selector.register(self.wakeup, selectors.EVENT_READ, self.reap)

    def send(self, kind, task_id, body=b""):
        data = memoryview(HEADER.pack(kind, task_id, len(body)) + body)
        while data:
            data = data[os.write(self.answers, data) :]

    def serve(self):
        self.send(b"V", 0, sys.version.split()[0].encode())
        while True:
            for key, _ in self.selector.select():
                # A pipe closed earlier in this round; its number may already be a new task's.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()

    def read_requests(self):
        chunk = os.read(self.requests, 1 << 20)
        if not chunk:
            self.kill_all()
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] == "run":
                self.run(request)
            elif request["id"] in self.by_id:
                self.signal(self.by_id[request["id"]].pid, request["signal"])

    def signal(self, pid, number):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            # Nobody is left in the group.
            return

    def kill_all(self):
        for pid in self.by_pid:
            self.signal(pid, signal.SIGKILL)
        os._exit(0)

    def run(self, request):
        out, err, result, go = os.pipe(), os.pipe(), os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go[1])
            last_fd = max(*self.selector.get_map(), *out, *err, *result, *go)
            become_task(request, out[1], err[1], result[1], go[0], last_fd)
        for _, writer in (out, err, result):
            os.close(writer)
        task = Task(request["id"], pid, {out[0]: b"O", err[0]: b"E", result[0]: b"R"})
        self.by_pid[pid] = self.by_id[task.id] = task
        self.send(b"S", task.id, b"%d" % pid)
        # The code begins when its start is told: else this process could die in between, and nobody know that the code had run.
        # The reading end is closed after that, so that the death of the child does not break the pipe.
        os.write(go[1], b"g")
        for fd in go:
            os.close(fd)
        for fd in task.pipes:
            os.set_blocking(fd, False)
            self.selector.register(fd, selectors.EVENT_READ, lambda fd=fd: self.forward(task, fd))

    def forward(self, task, fd):
        """Sends one piece of output; False when there is no more."""
        try:
            body = os.read(fd, PIPE_READ)
        except BlockingIOError:
            return False
        if body:
            self.send(task.pipes[fd], task.id, body)
            return True
        self.close(task, fd)
        return False

    def close(self, task, fd):
        self.selector.unregister(fd)
        os.close(fd)
        del task.pipes[fd]

    def reap(self):
        os.read(self.wakeup, 4096)
        while self.by_pid:
            # Looks before it reaps: the group is killed while its number cannot belong to anybody else.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            self.signal(ended.si_pid, signal.SIGKILL)
            _, status, usage = os.wait4(ended.si_pid, 0)
            task = self.by_pid.pop(ended.si_pid, None)
            if task is not None:
                self.finish(task, status, usage.ru_maxrss)

    def finish(self, task, status, peak_kib):
        del self.by_id[task.id]
        for fd in list(task.pipes):
            while self.forward(task, fd):
                pass
            # A process that left the group may hold the pipe open for ever.
            if fd in task.pipes:
                self.close(task, fd)
        killed = os.WIFSIGNALED(status)
        ending = {
            "code": None if killed else os.WEXITSTATUS(status),
            "signal": signal.Signals(os.WTERMSIG(status)).name if killed else None,
            "peak": peak_kib * (1 if sys.platform == "darwin" else 1024),
        }
        self.send(b"X", task.id, json.dumps(ending).encode())


def prefer_for_oom_kill():
    """Short of memory, the kernel is to kill tasks rather than what supervises them."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, OOM_SCORE)
        os.close(fd)
    except OSError:
        # Not Linux, or not allowed in this sandbox: the kernel chooses by size then.
        return


def become_task(request, out, err, result, go, last_fd):
    """In the child: its own session, output, folder and environment, and the code as soon as `go` says so; never returns."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        result_fd = os.dup2(result, 3, inheritable=False)
        if not os.read(go, 1):
            # The fork server died before it could tell of this process: the task will be started again.
            return
        os.closerange(4, last_fd + 1)
        sys.stdin = open(0, closefd=False)
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        sys.argv = [request["taskId"]]
        if request["memoryLimit"]:
            limit = request["memoryLimit"] * RESERVED_FACTOR + RESERVED_SLACK
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        gc.enable()
        prefer_for_oom_kill()
        from run_task import run_task

        code = run_task(request, result_fd)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main():
    # Frames go to a copy of stdout, so that nothing that prints can break them.
    answers = os.dup(1)
    os.dup2(2, 1)
    preload()
    import large_results
    import millrace
    import run_task
    import task_context

    for module in (large_results, millrace, run_task, task_context):
        module.__preloaded__ = True
    gc.collect()
    gc.disable()
    gc.freeze()
    ForkServer(0, answers).serve()


if __name__ == "__main__":
    main()
