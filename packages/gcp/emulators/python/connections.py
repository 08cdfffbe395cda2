"""Connections of threads. bqemulator uses one connection of DuckDB in several threads.

The REST API works in the thread of the event loop, the Storage API in others. Together they wait forever: a thread that inserts
rows has the connection and waits for Python's global lock, and another one has the global lock and waits for the connection.
Or one reads the result of the other's query. So each thread has a connection to the same database, and one lock is common to all
that write, because DuckDB rejects concurrent changes of a row, such as the emulator's number of rows of a table.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

POLL_SECONDS = 0.001
MAX_OPEN_CALLS = 200
"""Of the Storage API. Each one needs a thread, also while nothing is sent: clients keep connections open."""


class WriteLock:
    """A fair lock for threads and for tasks of the event loop. A thread can take it again while it holds it."""

    def __init__(self):
        self.guard = threading.Lock()
        self.turns = deque()
        """The turn of the owner, and of those who wait."""
        self.owner = None
        self.depth = 0

    def __enter__(self):
        if self.owner != threading.get_ident():
            self.queue_up().wait()
            self.owner = threading.get_ident()
        self.depth += 1

    def __exit__(self, *_):
        self.depth -= 1
        if not self.depth:
            self.owner = None
            self.leave(self.turns[0])

    @asynccontextmanager
    async def held(self):
        """Does not make the thread of the event loop the owner: its tasks exclude each other by a lock of their own."""
        turn = self.queue_up()
        try:
            while not turn.is_set():
                await asyncio.sleep(POLL_SECONDS)
            yield
        finally:
            self.leave(turn)

    def queue_up(self):
        """The event is set when the lock is the caller's."""
        turn = threading.Event()
        with self.guard:
            self.turns.append(turn)
            self.turns[0].set()
        return turn

    def leave(self, turn):
        """Also a task that was cancelled while it waited."""
        with self.guard:
            self.turns.remove(turn)
            if self.turns:
                self.turns[0].set()


write_lock = WriteLock()


def lock_other_threads(engine_lock):
    """The emulator's lock of writers excludes only tasks of the event loop."""

    @asynccontextmanager
    async def patched(self):
        async with engine_lock(self), write_lock.held():
            yield

    return patched


def one_for_each_thread(connection):
    """The connection of the thread that started the emulator, or one for the calling thread."""
    first = threading.get_ident()
    local = threading.local()

    def patched(self):
        if threading.get_ident() == first:
            return connection(self)
        if not hasattr(local, "connection"):
            local.connection = connection(self).cursor()
            # A setting of the connection, which the emulator makes at its start.
            local.connection.execute("SET TimeZone = 'UTC'")
        return local.connection

    return patched


def share_write_lock(init):
    """The Storage API takes the common lock instead of its own."""

    def patched(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self._write_lock = write_lock

    return patched


def with_enough_threads(server):
    """By default the calls of the Storage API share 4 more threads than the machine has cores, and further ones wait forever."""

    def patched(*args, **kwargs):
        return server(ThreadPoolExecutor(MAX_OPEN_CALLS, "storage-api"), *args, **kwargs)

    return patched
