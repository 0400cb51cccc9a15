"""Export a trained model: ``python scripts/export.py run=... format=onnx``; see --help."""

from rnnlab.commands.export import main

if __name__ == "__main__":
    main()
