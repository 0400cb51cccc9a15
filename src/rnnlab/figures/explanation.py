"""What each word of a text did to the answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """Words with a number each, and what the numbers mean.

    Attributes:
        title: the answer, in a sentence.
        method: how the numbers come about, in a sentence.
        words: the tokens that the model read, as a person reads them.
        values: a number for each word.
        unit: what the numbers are, such as ``logit``.
        total: what ``values`` should add up to.
        separator: what stands between two words: a space, or nothing where tokens are parts of words.
        signed: whether a value speaks for (positive) or against (negative); else a value is only large.
    """

    title: str
    method: str
    words: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    total: float
    separator: str = " "
    signed: bool = True

    @property
    def gap(self) -> float:
        """By how much the values miss what they should add up to, as a share of it."""
        missed = abs(sum(self.values) - self.total)
        return missed / abs(self.total) if self.total else missed

    def strengths(self) -> list[float]:
        """Return each value as a share of the largest, in [-1, 1], for drawing."""
        largest = max((abs(value) for value in self.values), default=0.0)
        return [value / largest if largest else 0.0 for value in self.values]

    def strongest(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the words with the largest values, whatever their sign, the strongest first."""
        pairs = sorted(zip(self.words, self.values, strict=True), key=lambda pair: -abs(pair[1]))
        return pairs[:count]

    def save(self, path: str) -> None:
        """Write the explanation as a self-contained HTML page."""
        from rnnlab.figures.explanation_views import save_page

        save_page(self, path)

    def _repr_html_(self) -> str:
        """Return the coloured words for a notebook."""
        from rnnlab.figures.explanation_views import body

        return body(self)
