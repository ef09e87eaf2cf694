"""Files from the network, pinned by version and checksum."""
