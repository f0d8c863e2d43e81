"""The stages: gather facts from the ports, ask the domain, answer; one hop at a time, never waiting."""
