"""Images: decoded, scaled to one size, and described by their gradients."""
