"""What the network brings, pinned by version and checksum."""
