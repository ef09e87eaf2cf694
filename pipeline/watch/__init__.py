"""The watch over a model in production: what comes in against what it was tested on."""
