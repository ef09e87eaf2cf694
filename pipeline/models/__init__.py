"""An encoder: opened, fed, computed."""
