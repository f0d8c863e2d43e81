"""A simulator of Azure Resource Manager for compute galleries and what boot tests need, spoken to over HTTPS."""
