"""Ctrl-C and SIGTERM: a handler notes the wish, and the work asks for it at its own places.

What a handler raises falls into whatever runs at that instant: into a lock of TensorBoard's writer, which is
then held for good, or into a callback of Python's that swallows it. So a first signal is only noted here, and
:func:`check` ends the work where nothing is lost. A second one ends the process at once, without Python's own
end: whatever rnnlab writes is whole at any instant.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ENDED_BY_SIGNAL = 128
"""Plus the signal's number: what a shell reports for a program that a signal ended."""
SHOW_CURSOR = "\x1b[?25h"


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM ended the work at a clean place; the message says how to go on.

    Like ``KeyboardInterrupt`` it is no error, and nobody who mends errors catches it by chance.

    Args:
        message: what was done, what is kept, how to go on.
        by: the signal.
    """

    def __init__(self, message: str, by: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.by = by
        self.status = ENDED_BY_SIGNAL + by


@dataclass(frozen=True)
class Listener:
    """What a piece of work does about a signal; of nested ones the innermost tells.

    Attributes:
        told: returns what ends the work.
        pass_on: hands the signal, the first or a later one, on to other processes. It is called within the
            handler: nothing there may take a lock or raise.
        unbegun: takes away what was made for work that is still being imported, and so has not begun. It is
            called within the handler, too.
    """

    told: Callable[[], Interrupted] | None = None
    pass_on: Callable[[int, bool], None] | None = None
    unbegun: Callable[[], None] | None = None


@dataclass
class _Wish:
    by: int | None = None
    listeners: list[Listener] = field(default_factory=list)
    waits: bool = False
    owns_process: bool = False


_wish = _Wish()


@contextmanager
def listening(
    told: Callable[[], Interrupted] | None = None,
    pass_on: Callable[[int, bool], None] | None = None,
    *,
    unbegun: Callable[[], None] | None = None,
    owns_process: bool = False,
) -> Iterator[None]:
    """Note the signals in this context; outside the main thread, where none arrives, do nothing.

    The wish is forgotten when the outermost context ends.

    Args:
        told, pass_on, unbegun: see :class:`Listener`.
        owns_process: whether a second signal may end this process: a command's own, not a notebook's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    owned, _wish.owns_process = _wish.owns_process, _wish.owns_process or owns_process
    _wish.listeners.append(Listener(told, pass_on, unbegun))
    try:
        yield
    finally:
        _wish.listeners.pop()
        _wish.owns_process = owned
        if not _wish.listeners:
            _wish.by = None
        for number, handler in before.items():
            signal.signal(number, handler)


def listen_again() -> None:
    """Take the signals back from whoever has put a handler of its own there."""
    if _wish.listeners and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, note)


def note(number: int, frame: FrameType | None = None) -> None:
    """Take a signal: the handler.

    Raises:
        Interrupted: if the work does nothing but wait.
        KeyboardInterrupt: for a second one, in a process that is not ours to end.
    """
    is_first, _wish.by = _wish.by is None, number if _wish.by is None else _wish.by
    for listener in _wish.listeners:
        if listener.pass_on is not None:
            listener.pass_on(number, not is_first)
    if not is_first:
        end_at_once(number)
    if _wish.owns_process and is_starting(frame):
        end_unbegun(number)
    if _wish.waits:
        raise stopped()
    say(f"{signal.Signals(number).name}: stopping where nothing is lost (again to stop at once).")


def end_while_starting() -> None:
    """Let a signal end the process while a command is being imported: nothing has begun.

    A signal that the process was told to ignore, or that is listened to already, stays what it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end_unbegun)


def is_starting(frame: FrameType | None) -> bool:
    """Return whether a module is being imported at a frame, and nobody has said what stopping would lose.

    PyTorch takes seconds to import, on a busy machine a minute, and then the work has not begun.
    """
    if any(listener.told or listener.pass_on for listener in _wish.listeners):
        return False
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib."):
        frame = frame.f_back
    return frame is not None


def end_unbegun(number: int, frame: FrameType | None = None) -> None:
    """End the process in which nothing has begun: the handler."""
    for listener in _wish.listeners:
        if listener.unbegun is not None:
            listener.unbegun()
    say(f"Stopped by {signal.Signals(number).name} before anything began.")
    os._exit(ENDED_BY_SIGNAL + number)


def end_at_once(number: int) -> None:
    """End the process without another word of Python's.

    Raises:
        KeyboardInterrupt: if it is not ours to end.
    """
    if not _wish.owns_process:
        raise KeyboardInterrupt
    say("Stopped at once. What was written is whole; the same command, or resume=..., goes on.")
    os._exit(ENDED_BY_SIGNAL + number)


def say(text: str) -> None:
    """Write a line to the terminal, past all buffers and locks, and show the cursor that a bar has hidden."""
    line = f"{SHOW_CURSOR if os.isatty(2) else ''}{text}\n"
    try:
        os.write(2, line.encode())
    except OSError:  # nobody hears it
        return


def asked_by() -> int | None:
    """Return the signal that asked to stop, ``None`` as long as none did."""
    return _wish.by


def stopped() -> Interrupted:
    """Return what ends the work, as the innermost listener that has words for it tells."""
    for listener in reversed(_wish.listeners):
        if listener.told is not None:
            return listener.told()
    by = _wish.by or signal.SIGINT
    return Interrupted(f"Stopped by {signal.Signals(by).name}.", by)


def check() -> None:
    """End the work here, if that was asked for; here is a place where nothing is lost.

    Raises:
        Interrupted: if it was.
    """
    if _wish.by is not None and threading.current_thread() is threading.main_thread():
        raise stopped()


@contextmanager
def waiting() -> Iterator[None]:
    """Wait for a person or another process: nothing is at work here, and a signal ends it at once.

    Raises:
        Interrupted: if a signal comes, or came before.
    """
    check()
    before, _wish.waits = _wish.waits, True
    try:
        yield
    finally:
        _wish.waits = before


def deaf_end(status: Any) -> None:
    """Exit with ``status``; signals that come while Python ends are those of an impatient person."""
    if threading.current_thread() is threading.main_thread():
        be_deaf(status)
    sys.exit(status)


def be_deaf(status: Any) -> None:
    """Let a signal end the process with ``status`` and without a word: the work is done."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(status))


def work_is_done(status: int) -> int:
    """Return the status, having gone deaf if this process is a command's own, which is about to end."""
    if signal.getsignal(signal.SIGINT) is end_unbegun:
        be_deaf(status)
    return status
