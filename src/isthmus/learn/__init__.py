"""The training wing: recipes, data, models, the loop and the export. Everything here may load PyTorch."""
