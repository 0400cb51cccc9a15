"""Write text with a trained language model."""

import sys
from dataclasses import dataclass

from rnnlab.command_line import exit_by
from rnnlab.plain_arguments import DEVICES, option, parsed
from rnnlab.ranges import Range, whole


@dataclass(frozen=True)
class Arguments:
    """Write text with a trained language model, token by token.

    python scripts/generate.py run=<run> prompt="The film" temperature=0.8
    python scripts/generate.py run=<run> samples=3 top_p=0.9 seed=2
    python scripts/generate.py run=<run> whole_document=true max_tokens=500
    """

    run: str = option("a language model's run folder, or a checkpoint file")
    prompt: str = option("how the text begins", "")
    max_tokens: int = option("the most tokens after the prompt", 100, within=whole(1))
    samples: int = option("how many texts", 1, within=whole(1))
    temperature: float = option(
        "below 1 more probable text, above it bolder; 0 the most probable", 1.0, within=Range(0)
    )
    top_k: int | None = option("draw among that many most probable tokens only", None, within=whole(1, None))
    top_p: float | None = option(
        "draw among the fewest tokens that have this probability together",
        None,
        within=Range(0, 1, above=True),
    )
    whole_document: bool = option("stop where the model ends the document", False)
    seed: int = option("fixes what is drawn", 1, within=whole(0))
    device: str = option("auto (a GPU where there is one), cpu or gpu", "auto", of=DEVICES)
    trust: str | None = option("packages besides rnnlab whose classes the checkpoint may name: a,b", None)


def generate(arguments: Arguments) -> None:
    """Print the texts as they come; what the vocabulary lacks goes to standard error."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.interruption import check
    from rnnlab.named_classes import trusted_packages
    from rnnlab.runs.load import load
    from rnnlab.tasks.language_model.generation import Sampling
    from rnnlab.terminal import errors, why_unheard
    from rnnlab.visible import visible

    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.top_p)
    model = load(arguments.run, device=arguments.device, trust=trusted_packages(arguments.trust))
    texts = model.streams(
        arguments.prompt,
        samples=arguments.samples,
        seed=arguments.seed,
        max_tokens=arguments.max_tokens,
        sampling=sampling,
        whole_document=arguments.whole_document,
    )
    unknown = model.unknown_words(arguments.prompt)
    if unknown:
        errors.print(f"Not in the vocabulary, read as <unk>: {', '.join(unknown)}")
    for number, pieces in enumerate(texts, start=1):
        if arguments.samples > 1:
            print(f"--- {number}")
        for piece in pieces:
            check()
            if why_unheard() is not None:  # the reader, such as head, has enough
                return
            print(visible(piece, lines=True), end="", flush=True)
        print()


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    exit_by(lambda: generate(parsed(Arguments, sys.argv[1:])))
