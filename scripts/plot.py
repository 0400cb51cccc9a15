"""Draw the figures of runs: ``python scripts/plot.py run=... [run=...]``; see --help."""

from rnnlab.commands.plot import main

if __name__ == "__main__":
    main()
