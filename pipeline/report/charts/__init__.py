"""SVG figures of the page."""
