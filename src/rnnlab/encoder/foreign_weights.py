"""Networks trained elsewhere, in PyTorch's terms: Keras's ``.keras``, or a ``state_dict`` of PyTorch modules.

What is read are an embedding, a stack of simple recurrent networks, GRUs or LSTMs, and a linear readout.
Keras's GRU is PyTorch's with its gates in another order, as long as it was made with ``reset_after=True``,
which is the default.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnnlab.errors import ConfigError, RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.checkpoint_file import check_sums, check_unfolded
from rnnlab.files.keras_file import KerasLayer, read_keras

CELLS = {"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
BLOCKS = {1: "rnn", 3: "gru", 4: "lstm"}
"""Cells by how many blocks of rows their matrices have."""
ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
"""Where Keras has each of PyTorch's blocks: its GRU says z r h, PyTorch's r z n."""
POOLINGS = {"GlobalMaxPooling1D": "max", "GlobalAveragePooling1D": "mean"}
NOTHING_IN_USE = ("InputLayer", "Dropout", "SpatialDropout1D", "Activation")
"""Layers that change nothing when a trained model is asked."""
RECURRENT = re.compile(r"(?P<prefix>.*?)(weight|bias)_[ih]h_l\d+(_reverse)?")


class Foreign(NamedTuple):
    """A network that was trained elsewhere, in PyTorch's terms.

    Attributes:
        model: ``cell``, ``hidden_size``, ``layers``, ``bidirectional``, and ``nonlinearity`` where it is
            known.
        recurrent: the weights as ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` names them.
        embedding: ``(vocabulary, size)``, or None.
        readout: ``(classes, features)`` and ``(classes,)``, or None.
        pooling: what the readout reads, None where that is not known.
    """

    model: dict[str, Any]
    recurrent: dict[str, Tensor]
    embedding: Tensor | None = None
    readout: tuple[Tensor, Tensor] | None = None
    pooling: str | None = None


def read_foreign(path: Path) -> Foreign:
    """Return the network in a file.

    Raises:
        RunError: if the file is missing, damaged, or holds a network of another kind.
        ConfigError: if a package that reads it is not installed.
    """
    try:
        if path.suffix.lower() == ".keras":
            return from_keras(read_keras(path), path)
        return from_state_dict(read_state_dict(path), path)
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        raise damaged(path, f"its weights do not fit one another ({reason_of(error)})") from error


def from_keras(layers: Sequence[KerasLayer], path: Path) -> Foreign:
    """Return a Keras model as PyTorch would have it.

    Raises:
        RunError: if it has layers, or options of layers, that compute something else.
    """
    embedding: Tensor | None = None
    readout: tuple[Tensor, Tensor] | None = None
    pooling: str | None = None
    stack: list[tuple[str, list[tuple[Tensor, ...]], KerasLayer]] = []
    for layer in layers:
        if layer.kind == "Embedding" and embedding is None and not stack:
            embedding = torch.from_numpy(layer.weights[0])
        elif layer.kind in (*CELLS, "Bidirectional") and readout is None and pooling is None:
            stack.append(recurrent_layer(layer, path))
        elif layer.kind in POOLINGS and stack:
            pooling = POOLINGS[layer.kind]
        elif layer.kind == "Dense" and readout is None and stack:
            readout = readout_of(layer, path)
        elif layer.kind not in NOTHING_IN_USE:
            raise RunError(
                f"{path}: init_from can't take its layer {layer.kind[:40]}. It takes an Embedding, then "
                "SimpleRNN, GRU or LSTM (Bidirectional, too), a global pooling, and one Dense."
            )
    kinds = {(cell, len(ways), layer.options.get("activation", "tanh")) for cell, ways, layer in stack}
    sizes = {len(ways[0][1][0]) for _, ways, _ in stack}
    if len(kinds) != 1 or len(sizes) != 1:
        raise RunError(f"{path}: init_from takes recurrent layers of one kind and size; it has {len(stack)}.")
    cell, directions, nonlinearity = kinds.pop()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    recurrent = {
        f"{name}_l{number}{end}": part
        for number, (_, ways, _) in enumerate(stack)
        for end, parts in zip(("", "_reverse"), ways, strict=False)
        for name, part in zip(names, parts, strict=True)
    }
    hidden = recurrent["weight_hh_l0"].shape[1]
    model: dict[str, Any] = {"cell": cell, "hidden_size": hidden, "layers": len(stack)}
    model["bidirectional"] = directions == 2
    if cell == "rnn":
        model["nonlinearity"] = nonlinearity
    last = None if stack[-1][2].options.get("return_sequences") else "last"
    return Foreign(model, recurrent, embedding, readout, pooling or last)


def recurrent_layer(layer: KerasLayer, path: Path) -> tuple[str, list[tuple[Tensor, ...]], KerasLayer]:
    """Return a layer's cell, its weights in each direction, and the layer itself, out of ``Bidirectional``.

    Raises:
        RunError: if it computes something that PyTorch's does not.
    """
    inner, ways = layer, [layer.weights]
    if layer.kind == "Bidirectional":
        wrapped = layer.options.get("layer")
        if not isinstance(wrapped, dict) or not isinstance(wrapped.get("config"), dict):
            raise damaged(path, "its Bidirectional holds no layer")
        half = len(layer.weights) // 2
        inner = KerasLayer(str(wrapped.get("class_name")), wrapped["config"], layer.weights[:half])
        ways = [layer.weights[:half], layer.weights[half:]]
        check_options(layer.options, {"merge_mode": ("concat",)}, path)
    if inner.kind not in CELLS:
        raise RunError(f"{path}: init_from can't take its layer {inner.kind[:40]}.")
    cell = CELLS[inner.kind]
    known: dict[str, tuple[Any, ...]] = {"go_backwards": (False,), "activation": ("tanh",)}
    if cell == "rnn":
        known["activation"] = ("tanh", "relu")
    else:
        known["recurrent_activation"] = ("sigmoid",)
    if cell == "gru":
        known["reset_after"] = (True,)
    check_options(inner.options, known, path)
    try:
        return cell, [in_torch(cell, weights) for weights in ways], inner
    except (ValueError, IndexError, RuntimeError) as error:
        raise damaged(path, f"the weights of its {inner.kind} do not fit one another") from error


def in_torch(cell: str, weights: Sequence[Any]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh`` of a Keras layer's weights.

    Args:
        cell: ``rnn``, ``gru`` or ``lstm``.
        weights: ``(input, blocks * units)``, ``(units, blocks * units)`` and, unless it has none, the biases
            ``(blocks * units,)``; of a GRU ``(2, blocks * units)``, the input's before the state's.

    Raises:
        ValueError: if the shapes are others.
    """
    from_input, from_state = (torch.from_numpy(weight) for weight in weights[:2])
    units = from_state.shape[0]
    rows = units * len(ORDER[cell])
    biases = torch.from_numpy(weights[2]) if len(weights) > 2 else torch.zeros(rows)
    both = biases if biases.dim() == 2 else torch.stack([biases, torch.zeros_like(biases)])
    if from_input.shape[1:] != (rows,) or from_state.shape[1:] != (rows,) or both.shape != (2, rows):
        raise ValueError("other shapes")

    def ordered(part: Tensor) -> Tensor:
        blocks = part.chunk(len(ORDER[cell]), dim=0)
        return torch.cat([blocks[place] for place in ORDER[cell]]).clone()

    return ordered(from_input.T), ordered(from_state.T), ordered(both[0]), ordered(both[1])


def in_keras(cell: str, parts: Sequence[Tensor]) -> list[Any]:
    """Return a Keras layer's weights of ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh``."""
    places = [ORDER[cell].index(number) for number in range(len(ORDER[cell]))]

    def ordered(part: Tensor) -> Tensor:
        blocks = part.detach().float().cpu().chunk(len(places), dim=0)
        return torch.cat([blocks[place] for place in places])

    from_input, from_state, bias, state_bias = map(ordered, parts)
    biases = torch.stack([bias, state_bias]) if cell == "gru" else bias + state_bias
    return [part.contiguous().numpy() for part in (from_input.T, from_state.T, biases)]


def check_options(options: Mapping[str, Any], known: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Check that options are what PyTorch's layers have; those that are not said are.

    Raises:
        RunError: naming the first that isn't.
    """
    for key, values in known.items():
        if key in options and options[key] not in values:
            allowed = " or ".join(map(str, values))
            raise RunError(
                f"{path}: init_from takes a layer with {key}={allowed}; it has {str(options[key])[:40]}."
            )


def readout_of(layer: KerasLayer, path: Path) -> tuple[Tensor, Tensor]:
    """Return the weight ``(classes, features)`` and the bias of a dense layer.

    Raises:
        RunError: if it has another function than sigmoid or softmax behind it.
    """
    check_options(layer.options, {"activation": ("sigmoid", "softmax", "linear")}, path)
    weight = torch.from_numpy(layer.weights[0]).T.clone()
    bias = torch.from_numpy(layer.weights[1]) if len(layer.weights) > 1 else torch.zeros(len(weight))
    return weight, bias


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by their names, executing nothing of it.

    Raises:
        RunError: if it is missing, damaged, or holds anything but tensors by name.
        ConfigError: if safetensors is not installed.
    """
    if not path.is_file():
        raise RunError(f"There is no file {path}.")
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            check_sums(path)
            found = torch.load(path, map_location="cpu", weights_only=True)
            check_unfolded(found, most=path.stat().st_size)
    except ImportError as error:
        raise ConfigError(f"{path} needs safetensors: pip install safetensors.") from error
    except UnpicklingError as error:
        raise RunError(f"{path} is refused: it holds more than tensors. Save model.state_dict().") from error
    except RunError:
        raise
    except Exception as error:  # whatever a library says of it
        raise damaged(path, reason_of(error)) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(part, Tensor) for name, part in found.items()
    ):
        raise RunError(f"{path} holds no tensors by name. Save model.state_dict().")
    return found


def from_state_dict(weights: Mapping[str, Tensor], path: Path) -> Foreign:
    """Return the network of PyTorch modules whose weights these are, whatever its attributes are called.

    The recurrent module is known by its parameters' names, the embedding and the linear readout by their
    shapes; a readout's weight is the last matrix that has a bias beside it.

    Raises:
        RunError: if there is none, or there are several.
    """
    prefixes = {match["prefix"] for name in weights if (match := RECURRENT.fullmatch(name))}
    if len(prefixes) != 1:
        raise RunError(
            f"{path}: init_from takes one nn.RNN, nn.GRU or nn.LSTM; it has {len(prefixes)}: "
            f"{', '.join(sorted(prefixes)) or 'no weight_ih_l0'}."
        )
    prefix = prefixes.pop()
    recurrent = {name[len(prefix) :]: part for name, part in weights.items() if RECURRENT.fullmatch(name)}
    whole = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"} <= set(recurrent)
    rows, hidden = recurrent["weight_hh_l0"].shape if whole else (0, 1)
    if not hidden or rows % hidden or rows // hidden not in BLOCKS:
        raise RunError(f"{path}: its recurrent weights are of no nn.RNN, nn.GRU or nn.LSTM with biases.")
    layers = 1 + max(int(re.findall(r"_l(\d+)", name)[0]) for name in recurrent)
    both = "weight_ih_l0_reverse" in recurrent
    model = {"cell": BLOCKS[rows // hidden], "hidden_size": hidden, "layers": layers, "bidirectional": both}
    others = {
        name: part for name, part in weights.items() if not RECURRENT.fullmatch(name) and part.dim() == 2
    }
    readouts = [
        (part, weights[f"{name.removesuffix('weight')}bias"])
        for name, part in others.items()
        if name.endswith("weight") and f"{name.removesuffix('weight')}bias" in weights
    ]
    size = recurrent["weight_ih_l0"].shape[1]
    embeddings = [
        part
        for name, part in others.items()
        if part.shape[1] == size and f"{name.removesuffix('weight')}bias" not in weights
    ]
    return Foreign(
        model, recurrent, embeddings[0] if embeddings else None, readouts[-1] if readouts else None
    )
