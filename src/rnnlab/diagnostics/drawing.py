"""The figures of what was measured during a training."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from rnnlab.diagnostics.record import Curve, LayerRecord, Record
from rnnlab.figures.gradient_flow import gradient_flow_figure, saturation_figure


def diagnostics_figures(records: Sequence[Record]) -> dict[str, Figure]:
    """Return the figures by name: for each layer and direction its gradient flow and its saturation.

    Args:
        records: by epoch; those of other layers than the last one's are left out.
    """
    found: dict[str, Figure] = {}
    for name in records[-1].layers if records else ():
        kept = [record for record in records if name in record.layers]
        epochs = [record.epoch for record in kept]
        layers = [record.layers[name] for record in kept]
        place, title = name.replace("/", "_"), name.replace("/", ", ").replace("layer", "Layer ")
        found[f"gradient_flow/{place}"] = gradient_flow_figure(
            f"{title}: hidden state", epochs, [layer.hidden.relative for layer in layers]
        )
        cells: list[Curve] = [layer.memory for layer in layers if layer.memory is not None]
        if len(cells) == len(layers):
            found[f"gradient_flow/{place}_memory_cell"] = gradient_flow_figure(
                f"{title}: memory cell", epochs, [cell.relative for cell in cells]
            )
        shares = saturation_shares(layers)
        if shares:
            found[f"saturation/{place}"] = saturation_figure(f"{title}: saturation", epochs, shares)
    return found


def saturation_shares(layers: Sequence[LayerRecord]) -> dict[str, list[float]]:
    """Return each share of saturated values over the epochs, by what it is of."""
    shares: dict[str, list[float]] = {}
    for gate in layers[-1].gates:
        for state in ("open", "shut"):
            shares[f"{gate} {state}"] = [layer.gates[gate][state] for layer in layers]
    for unit in layers[-1].squashed:
        shares[f"{unit} saturated"] = [layer.squashed[unit] for layer in layers]
    return shares
