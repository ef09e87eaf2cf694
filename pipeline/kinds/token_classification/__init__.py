"""Sentences of one tag a word: entities, or parts of speech."""
