"""The stages. Each gathers facts from the ports, calls the domain and returns a result. A stage never waits."""
