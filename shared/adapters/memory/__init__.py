"""The ports in memory: the same promises as the Azure adapters, held by the same contract suites."""
