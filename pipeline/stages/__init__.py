"""The stages: each reads its inputs, calls the engines, writes its outputs."""
