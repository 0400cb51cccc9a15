"""Score trained models: ``python scripts/evaluate.py run=... [run=...] [data=...]``; see --help."""

from rnnlab.commands.evaluate import main

if __name__ == "__main__":
    main()
