"""The ports in memory. The same contract tests run against these and the Azure adapters."""
