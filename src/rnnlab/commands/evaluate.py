"""Score trained models, on their own data or elsewhere."""

import sys
from dataclasses import asdict, dataclass

from rnnlab.command_line import exit_by, explained
from rnnlab.folders import conf_folder
from rnnlab.plain_arguments import DEVICES, option, parsed, task_keys
from rnnlab.ranges import Range, whole


@dataclass(frozen=True)
class Arguments:
    r"""Score trained models, on the split that training scored or on other data.

    python scripts/evaluate.py run=<run>                training's figures again
    python scripts/evaluate.py run=<run> data=imdb labels=negative,positive
    python scripts/evaluate.py run=<run> data=mine.csv \
        data.corpus.text_column=review
    python scripts/evaluate.py run=<language model> data=book.txt
    python scripts/evaluate.py run=<one> run=<other> run='logs/sweeps/*/*/*/*'
    python scripts/evaluate.py run=<forwards> run=<backwards> ensemble=true
    python scripts/evaluate.py run=<run> together=true    and a simple method
    python scripts/evaluate.py run=<language model> cache=true dynamic=true
    python scripts/evaluate.py run=<forecasts> stride=24    an origin a day
    python scripts/evaluate.py run=<speech> task.decoding.method=beam \
        task.decoding.lm=<language model>
    """

    run: str = option("a run folder, a checkpoint file, or a pattern; may be given again for one table")
    split: str = option("validation or test", "test", of=("validation", "test"))
    data: str | None = option(
        "other data: a name in conf/data, a table or a text; its keys as data.corpus.label_column=…", None
    )
    labels: str | None = option("what the other data calls the model's classes, in their order: a,b", None)
    quotes: bool | None = option(
        "whether quotation marks can enclose a field of a table; see predict.py", None
    )
    output: str | None = option("the file for the figures; null: in a single run's folder", None)
    overwrite: bool = option("whether the output may exist", False)
    device: str | None = option("auto, cpu or gpu; null: as in training", None, of=DEVICES)
    stride: int | None = option(
        "of forecasts: steps from one origin to the next, 1 for every one; null: as in training", None
    )
    ensemble: bool = option("score the mean of the runs' probabilities, too: several models as one", False)
    cache: bool = option(
        "of language models: score with a cache of what the text said of late, too; never a static figure",
        False,
    )
    dynamic: bool = option(
        "of language models: score with steps on the weights after each window, too; the run stays", False
    )
    columns: int | None = option(
        "that such a scoring reads side by side: fewer adapt better and take longer; null: as in training",
        None,
        within=whole(1, None),
    )
    together: bool = option("score the network mixed with the simple method, too, and keep that", False)
    weight: float | None = option(
        "the simple method's share of it; null: the best on validation", None, within=Range(0, 1)
    )
    trust: str | None = option("packages besides rnnlab whose classes the checkpoint may name: a,b", None)


def evaluate(words: list[str]) -> None:
    """Take the words apart and do what they ask."""
    asked, words = task_keys(words)
    runs = [word.removeprefix("run=") for word in words if word.startswith("run=")]
    data_keys = [word for word in words if word.startswith("data.")]
    data_keys += [f"data.corpus.{word}" for word in words if word.startswith("quotes=")]
    others = [word for word in words if not word.startswith(("run=", "data.", "quotes="))]
    options = asdict(parsed(Arguments, [*(f"run={run}" for run in runs[:1]), *others]))
    del options["run"], options["quotes"]  # these were taken apart above
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.runs.data_section import data_section
    from rnnlab.runs.evaluation import Beside
    from rnnlab.runs.evaluation_report import evaluate_runs

    options["data"] = data_section(conf_folder(), options["data"], data_keys, options["labels"])
    beside = Beside(**{key: options.pop(key) for key in Beside._fields})
    evaluate_runs(runs, **options, task=asked, beside=beside)


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: evaluate(sys.argv[1:]), lambda error: explained(error, conf_folder(), "train"))
