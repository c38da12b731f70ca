"""How a model is run: the original through torch, its export through OpenVINO, and where exports are kept."""
