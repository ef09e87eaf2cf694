"""Transferline: labelled text in, a fine-tuned, evaluated, versioned transformer out."""
