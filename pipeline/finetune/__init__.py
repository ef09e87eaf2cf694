"""What a labelled task learns."""
