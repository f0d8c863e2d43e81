"""The stages: gather facts from the ports, ask the domain, apply the answer; one hop at a time, never waiting."""
