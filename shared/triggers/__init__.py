"""The Azure Functions triggers.

Blueprints decode the input, call the engine or a query, and respond. They make no decisions.
"""
