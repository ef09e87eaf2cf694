"""Tags of words: their schemes, the spans that they mark, and a linear rival."""
