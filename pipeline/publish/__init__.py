"""Publications of a proven model: what goes, where from, and to which registry or hub."""
