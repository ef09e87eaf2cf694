"""What every floor stands on: errors, files, tables, the shape of a stage, fingerprints."""
