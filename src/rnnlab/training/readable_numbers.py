"""Rates and metrics as a person reads them."""


def thousands(rate: float) -> str:
    """Return a rate as a person reads it.

    >>> thousands(152_340.0), thousands(2_210_000.0), thousands(870.0)
    ('152k', '2.2M', '870')
    """
    if rate >= 1e6:
        return f"{rate / 1e6:.1f}M"
    return f"{rate / 1e3:.0f}k" if rate >= 1e4 else f"{rate:.0f}"


def figure(name: str, value: float) -> str:
    """Return a metric as a person reads it: counts whole, perplexities to two places, shares to four.

    >>> figure("tokens", 82430.0), figure("perplexity", 114.512), figure("accuracy", 0.88736)
    ('82,430', '114.51', '0.8874')
    """
    if name == "tokens":
        return f"{value:,.0f}"
    return f"{value:.2f}" if "perplexity" in name else f"{value:.4f}"
