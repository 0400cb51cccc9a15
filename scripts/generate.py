"""Write text with a trained language model: ``python scripts/generate.py run=... prompt="..."``."""

from rnnlab.commands.generate import main

if __name__ == "__main__":
    main()
