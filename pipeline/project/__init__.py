"""The project of one's own: made from a file of data, kept up with newer versions, given further encoders."""
