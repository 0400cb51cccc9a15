"""Predict with a trained model: ``python scripts/predict.py run=... text="..."``; see --help."""

from rnnlab.commands.predict import main

if __name__ == "__main__":
    main()
