"""Speaks as ``keras_program.py`` does, without Keras: ``fake_keras.py [fails] documents.npz``."""

import json
import sys

import numpy as np


def main() -> None:
    """Answer orders; with ``fails`` end at the first one."""
    with np.load(sys.argv[-1]) as file:
        documents = len(file["labels"])
    print(json.dumps({"python": "3", "keras": "0.fake", "backend": "none"}), flush=True)
    epochs = 0
    for line in sys.stdin:
        if sys.argv[1] == "fails":
            sys.exit("the fake broke on purpose")
        if json.loads(line)["do"] == "build":
            epochs = 0
            print(json.dumps({"parameters": documents}), flush=True)
            continue
        epochs += 1
        found = {"seconds": 0.5, "loss": 1 / epochs, "accuracy": 0.5, "peak_memory": None}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
