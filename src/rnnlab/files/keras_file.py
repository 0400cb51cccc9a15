"""A Keras model's file: its layers and their weights, bounded and checked; nothing in it is run.

A ``.keras`` file is a ZIP archive of ``config.json``, which says what the layers are, and
``model.weights.h5``, an HDF5 file of their weights.
"""

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.errors import ConfigError, RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.plain_file import NotPlainError, check_shape, parsed_json

LARGEST = {"config.json": 16 << 20, "model.weights.h5": 4 << 30}
"""Bytes that each part can have, unpacked."""
CONFIG = {"class_name": str, "config": {"layers": [{"class_name": str, "config": {str: object}}]}}

Weights = list[npt.NDArray[np.float32]]


class KerasLayer(NamedTuple):
    """A layer as its file has it.

    Attributes:
        kind: Keras's name of its class, such as ``SimpleRNN``.
        options: what it was made with.
        weights: in Keras's order; of a ``Bidirectional`` those of the layer that reads forwards, then those
            of the other.
    """

    kind: str
    options: dict[str, Any]
    weights: Weights


def read_keras(path: Path) -> list[KerasLayer]:
    """Return the layers of a sequential model, or of a functional one without branches, in their order.

    Raises:
        RunError: if there is no such file, it is damaged, or holds what no model of layers in a row has.
        ConfigError: if h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(
            f"{path}: a Keras file needs h5py: pip install 'rnnlab[keras]' (or h5py alone)."
        ) from error
    parts = parts_of(path)
    try:
        content = parsed_json(parts["config.json"].decode("utf-8"))
        check_shape(content, CONFIG)
    except (NotPlainError, UnicodeDecodeError) as error:
        raise damaged(path, f"its config.json is no model's ({error})") from error
    if content["class_name"] not in ("Sequential", "Functional"):
        raise RunError(f"{path} is a {content['class_name'][:40]}; take a Sequential or a Functional model.")
    try:
        with h5py.File(io.BytesIO(parts["model.weights.h5"]), "r") as file:
            return [layer_of(entry, name, file) for name, entry in named(content["config"]["layers"])]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise damaged(path, f"its weights can't be read ({reason_of(error)})") from error


def parts_of(path: Path) -> dict[str, bytes]:
    """Return the two parts of the archive.

    Raises:
        RunError: if it is missing, no archive, or a part is missing or too large.
    """
    if not path.is_file():
        raise RunError(f"There is no file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            for name, most in LARGEST.items():
                size = archive.getinfo(name).file_size
                if size > most or size > 1000 * path.stat().st_size:
                    raise ValueError(f"its {name} has {size:,} bytes")
            return {name: archive.read(name) for name in LARGEST}
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, RuntimeError, ValueError) as error:
        raise damaged(path, f"it is no Keras 3 file ({reason_of(error)})") from error


def named(layers: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return each layer with the name of its weights: its class's, and a number from the second on.

    >>> [name for name, _ in named([{"class_name": name} for name in ("GRU", "SimpleRNN", "GRU")])]
    ['gru', 'simple_rnn', 'gru_1']
    """
    counts: Counter[str] = Counter()
    found = []
    for layer in layers:
        words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", layer["class_name"]))
        name = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        found.append((f"{name}_{counts[name]}" if counts[name] else name, layer))
        counts[name] += 1
    return found


def layer_of(entry: dict[str, Any], name: str, file: Any) -> KerasLayer:
    """Return a layer with the weights that are kept under its name."""
    kind, options = entry["class_name"], entry["config"]
    places = [f"layers/{name}/vars", f"layers/{name}/cell/vars"]
    if kind == "Bidirectional":
        places = [f"layers/{name}/{way}_layer/cell/vars" for way in ("forward", "backward")]
    weights: Weights = []
    for place in places:
        group = inside(file, place)
        weights += [array_of(group, str(number)) for number in range(len(group))] if group else []
    return KerasLayer(kind, options, weights)


def inside(file: Any, place: str) -> Any:
    """Return a group, None where there is none; no link leads out of the file.

    Raises:
        ValueError: if it is linked from elsewhere.
    """
    import h5py

    for name in place.split("/"):
        if name not in file:
            return None
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{place} is a link")
        file = file[name]
    return file


def array_of(group: Any, name: str) -> npt.NDArray[np.float32]:
    """Return an array of numbers.

    Raises:
        ValueError: if it is none of floats, lies outside the file, or is larger than a file can be.
    """
    found = inside(group, name)
    if found is None or found.dtype.kind != "f" or found.external or found.is_virtual:
        raise ValueError(f"{name} is no array of numbers within the file")
    if found.id.get_storage_size() < found.nbytes:  # Keras packs none, and little may become much
        raise ValueError(f"{name} has {found.size:,} numbers, more than are there")
    return np.asarray(found[()], dtype=np.float32)


def write_keras(path: Path, layers: list[KerasLayer]) -> None:
    """Write a sequential model that ``keras.saving.load_model`` opens.

    Args:
        path: the file.
        layers: whose options Keras takes, the first of them an ``Embedding``.

    Raises:
        ConfigError: if h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError("This export needs h5py: pip install 'rnnlab[keras]' (or h5py alone).") from error
    entries = [
        {"module": "keras.layers", "class_name": layer.kind, "config": layer.options, "registered_name": None}
        for layer in layers
    ]
    first = {"batch_shape": [None, None], "dtype": "int64", "name": "tokens"}
    entries.insert(0, {**entries[0], "class_name": "InputLayer", "config": first})
    content = {
        **{"module": "keras", "class_name": "Sequential", "registered_name": "Sequential"},
        "config": {"name": "rnnlab", "layers": entries, "build_input_shape": [None, None]},
        "build_config": {"input_shape": [None, None]},
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for (name, _), layer in zip(named(entries[1:]), layers, strict=True):
            keep_layer(file.create_group(f"layers/{name}"), layer)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("config.json", json.dumps(content))
        archive.writestr("model.weights.h5", buffer.getvalue())


def keep_layer(group: Any, layer: KerasLayer) -> None:
    """Write a layer's weights where Keras looks for them."""
    half = len(layer.weights) // 2
    lots = {"cell/vars": layer.weights, "vars": []}
    if layer.kind in ("Embedding", "Dense"):
        lots = {"vars": layer.weights}
    elif layer.kind == "Bidirectional":
        lots = {
            **{"vars": [], "forward_layer/cell/vars": layer.weights[:half], "forward_layer/vars": []},
            **{"backward_layer/cell/vars": layer.weights[half:], "backward_layer/vars": []},
        }
    for place, weights in lots.items():
        kept = group.create_group(place)
        for number, weight in enumerate(weights):
            kept.create_dataset(str(number), data=weight)
