"""The ground of all packages: errors, files, tables, the shape of a stage, fingerprints."""
