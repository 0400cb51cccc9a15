"""Show many runs as one table: ``python scripts/results.py logs/... [key=value ...]``; see --help."""

from rnnlab.commands.results import main

if __name__ == "__main__":
    main()
