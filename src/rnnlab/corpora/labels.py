"""Names of classes as a person reads them: which spellings are one, which are none, which look like slips.

What nobody can see, such as a doubled space or an invisible character, parts no classes; nor do two
spellings of one number. What can be seen but means the same to most, such as case, is left as it is written
and warned of: only the user knows.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

_MISSING = re.compile(
    r"|\\n|#n/a n/a|[-<(\[#]?(nan|nat|none|null|nil|na|n/a|n\.a\.?|1\.#(ind|qnan))[>)\]!?]?|\?+",
    re.IGNORECASE,
)  # how spreadsheets, data frames and databases write that there is nothing
_DASHES = re.compile(r"[-\u2010-\u2015._/]+")  # nothing at all, unless another class is + or the like
_NUMBER = re.compile(r"[+-]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100})(e[+-]?\d{1,3})?", re.IGNORECASE)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
_COMPARED = 200  # names; among more, slips are not looked for
_SHORTEST_SLIP = 5  # letters; shorter words are too often one letter apart


def tidied(name: str) -> str:
    r"""Return a name without what can't be seen: outer and doubled white space, invisible characters.

    >>> tidied(" very \u00a0good\u200b")
    'very good'
    """
    return " ".join(unicodedata.normalize("NFC", name.translate(_INVISIBLE)).split())


def is_missing(name: str) -> bool:
    """Return whether a field says that there is no label.

    >>> is_missing(" NaN "), is_missing("N/A"), is_missing("no")
    (True, True, False)
    """
    return bool(_MISSING.fullmatch(tidied(name)))


def label_key(name: str) -> Hashable:
    """Return what is equal for all spellings of one number or word.

    >>> label_key("1") == label_key("1.0") == label_key("+1e0") != label_key("10")
    True
    """
    return Decimal(name) if _NUMBER.fullmatch(name) else name


class Classes:
    """Names of classes, and the id of each of their spellings.

    Args:
        names: in the order of their ids; of those that are one number each is still a class of its own.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._ids: dict[Hashable, int] = {}
        for number, name in enumerate(self.names):
            self._ids.setdefault(label_key(name), number)
        self._ids.update((("as written", name), number) for number, name in enumerate(self.names))

    @classmethod
    def occurring(cls, spellings: Iterable[str]) -> "Classes":
        """Return the classes of a table, sorted by name; a number is called by its shortest spelling."""
        shortest: dict[Hashable, str] = {}
        for name in sorted(set(spellings), key=lambda name: (len(name), name)):
            shortest.setdefault(label_key(name), name)
        return cls(sorted(shortest.values()))

    def id_of(self, label: str | None) -> int | None:
        """Return the id of the class that is spelt so, by the letter or as a number, or None."""
        if label is None:
            return None
        exact = self._ids.get(("as written", label))
        return self._ids.get(label_key(label)) if exact is None else exact


def names_in(label: str | None, separator: str | None) -> tuple[str, ...]:
    """Return the names in a row's label: one or none, or with a separator any number of them.

    >>> names_in("good", None), names_in("sad|long", "|"), names_in("", "|"), names_in(None, None)
    (('good',), ('sad', 'long'), (), ())
    """
    if label is None or (separator and not label):
        return ()
    return tuple(label.split(separator)) if separator else (label,)


def merged(counts: Mapping[str, int], classes: Classes) -> list[str]:
    """Return a sentence for each class that is spelt in several ways.

    Args:
        counts: rows of each spelling.
        classes: those that the spellings are read as.
    """
    spellings: dict[int, list[str]] = defaultdict(list)
    for name in counts:
        number = classes.id_of(name)
        if number is not None:
            spellings[number].append(name)
    return [
        f"Read as one class, {classes.names[number]!r}: {_counted(names, counts)}. "
        "data.corpus.labels=[…] with each of them would keep them apart."
        for number, names in sorted(spellings.items())
        if len(names) > 1
    ]


def alike(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for names that a person might call equal, though they are classes of their own.

    Args:
        counts: documents of each class.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        groups[_bare(name)].append(name)
    same = [
        f"Classes that differ in case, width or punctuation alone: {_counted(names, counts)}. "
        "If they are one, spell them alike in the file."
        for names in groups.values()
        if len(names) > 1
    ]
    bare = sorted(groups) if len(groups) <= _COMPARED else []
    slips = [groups[one] + groups[other] for one, other in combinations(bare, 2) if _is_slip(one, other)]
    dashes = [name for name in counts if _DASHES.fullmatch(name)]
    if all(any(map(str.isalnum, name)) for name in counts if name not in dashes):
        same += [
            f"Does the label {name!r} ({counts[name]:,}) say that there is none? It is read as a class. "
            "If it is none, remove its rows."
            for name in dashes
        ]
    return same + [
        f"Classes that are one letter apart: {_counted(names, counts)}. Is one of them a slip?"
        for names in slips
    ]


def _bare(name: str) -> str:
    """Return a name without case, width, outer punctuation and the kind of what stands between its words.

    A number keeps its sign and its point, and a name such as C++ or A- the signs that make it another.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    if _NUMBER.fullmatch(folded):
        return folded
    inner = re.sub(r"(?<=\w)[\s_./-]+(?=\w)|_", " ", folded).strip(" .,:;!?\"'()[]")
    return inner or folded


def _is_slip(one: str, other: str) -> bool:
    """Return whether two words are a letter apart, but not the first: there prefixes change a meaning."""
    if not (one.isalpha() and other.isalpha()) or min(len(one), len(other)) < _SHORTEST_SLIP:
        return False
    shorter, longer = sorted((one, other), key=len)
    start = 0
    while start < len(shorter) and shorter[start] == longer[start]:
        start += 1
    rests = shorter[start:], longer[start:]
    swapped = rests[0][:2] == rests[1][:2][::-1] and rests[0][2:] == rests[1][2:]
    lacking, other_letter = rests[0] == rests[1][1:], rests[0][1:] == rests[1][1:]
    return start > 0 and (swapped or lacking or (len(shorter) == len(longer) and other_letter))


def _counted(names: Iterable[str], counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r} ({counts[name]:,})" for name in names)
