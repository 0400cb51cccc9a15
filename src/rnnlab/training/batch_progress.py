"""How far a pass over batches is: a live bar on a terminal, a line now and then where output is a file."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rnnlab.terminal import console
from rnnlab.training.progress_lines import ProgressLines


class BatchProgress:
    """Shows one pass at a time.

    Attributes:
        enabled: whether anything is shown.
    """

    def __init__(self) -> None:
        self.enabled = True
        self.bar: Progress | None = None
        self.row: TaskID | None = None
        self.lines = ProgressLines()

    def open(self, description: str, total: float) -> None:
        """Begin a pass over ``total`` batches, in place of the one before."""
        self.close()
        self.lines.begin(description, total)
        if not (self.enabled and console.is_terminal):
            return
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[news]}"),
            console=console,
            transient=True,
            refresh_per_second=2,  # drawing takes milliseconds, for which all of PyTorch's threads wait
        )
        self.bar.start()
        self.row = self.bar.add_task(description, total=total, news="")

    def wants_news(self, done: int) -> bool:
        """Return whether what :meth:`step` is told after ``done`` batches will be seen; ask at each."""
        return self.bar is not None or (self.enabled and self.lines.is_due(done))

    def step(self, done: int, news: str = "") -> None:
        """Move the bar to ``done`` batches, or write a line if it is time for one."""
        if self.bar is not None and self.row is not None:
            self.bar.update(self.row, completed=done, news=news)
        elif self.wants_news(done):
            self.lines.write(done, news)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
        self.bar = self.row = None
