"""The HTML and CSS of the page."""
