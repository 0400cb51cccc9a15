"""Measure rnnlab's speed beside other ways: ``python scripts/benchmark.py [key=value ...]``, see --help."""

from rnnlab.commands.benchmark import main

if __name__ == "__main__":
    main()
