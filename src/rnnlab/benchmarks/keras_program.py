"""The Keras textbook program, an epoch at a time, as it is told on standard input.

It runs in a process of its own, and where need be under another Python: it knows NumPy, Keras and nothing
of rnnlab. Its argument is a file of documents; orders and answers are lines of JSON:

    {"do": "build", "layer": "GRU", "seed": 1}   ->   {"parameters": 326369}
    {"do": "epoch"}                             ->   {"seconds": 31.2, "loss": 0.61, ...}
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

WORDS, STEPS, SIZE, BATCH = 10_000, 500, 32, 128


def main() -> None:
    """Answer orders until there are no more."""
    forget_own_folder()
    # Libraries print, too: they get standard error, so that answers stand alone on standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    import keras
    import numpy as np

    with np.load(sys.argv[1]) as file:
        # Keras pads with 0, which is a word in the file; the two rarest words share an id instead.
        documents = np.split(np.minimum(file["tokens"] + 1, WORDS - 1), file["offsets"][1:-1])
        labels = file["labels"].astype("float32")
    inputs = keras.utils.pad_sequences(documents, maxlen=STEPS)
    answer(answers, versions(keras))
    model = None
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "build":
            model = built(keras, order["layer"], order["seed"])
            # Compiles the graph, which no epoch is to pay for: of a full batch and of one that isn't.
            some = slice(BATCH + 1)
            model.fit(inputs[some], labels[some], batch_size=BATCH, verbose=0)
            answer(answers, {"parameters": int(model.count_params())})
        else:
            answer(answers, epoch(model, inputs, labels))


def forget_own_folder() -> None:
    """Keep the modules beside this file from being taken for installed ones of the same name."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != here]


def versions(keras: Any) -> dict[str, str]:
    """Return the versions of Python, Keras and its backend."""
    found = {"python": sys.version.split()[0], "keras": keras.__version__, "backend": keras.backend.backend()}
    if found["backend"] == "tensorflow":
        import tensorflow

        found["tensorflow"] = tensorflow.__version__
    return found


def built(keras: Any, layer: str, seed: int) -> Any:
    """Return the textbook's model, compiled."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((STEPS,)),
            keras.layers.Embedding(WORDS, SIZE),
            getattr(keras.layers, layer)(SIZE),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def epoch(model: Any, inputs: Any, labels: Any) -> dict[str, Any]:
    """Train one epoch; return its seconds, mean loss and accuracy, and the peak of this process's memory."""
    own = Path("/proc/self")
    try:
        (own / "clear_refs").write_text("5")  # the peak starts anew, see proc(5)
        is_reset = True
    except OSError:
        is_reset = False
    began = time.perf_counter()
    history = model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0).history
    seconds = time.perf_counter() - began
    peak = re.search(r"VmHWM:\s*(\d+) kB", (own / "status").read_text()) if is_reset else None
    return {
        "seconds": seconds,
        "loss": float(history["loss"][-1]),
        "accuracy": float(history["accuracy"][-1]),
        "peak_memory": int(peak[1]) * 1024 if peak else None,
    }


def answer(answers: Any, content: dict[str, Any]) -> None:
    """Write one answer."""
    print(json.dumps(content), file=answers, flush=True)


if __name__ == "__main__":
    main()
