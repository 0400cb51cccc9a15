"""Train: ``python scripts/train.py [group=choice ...] [key=value ...]``; ``--help`` tells what there is."""

from rnnlab.commands.train import main

if __name__ == "__main__":
    main()
