"""What the Functions host calls: blueprints that decode, call a stage, and answer. Nothing is decided here."""
