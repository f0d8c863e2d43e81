"""A local Event Grid.

It has a custom topic that takes what `azure-eventgrid` publishes, a system topic that takes ARM's events, and delivers
to webhooks with Event Grid's handshakes, headers, retries, dead letters and misfortunes.
"""

from local.eventgrid.faults import DeliveryFaults
from local.eventgrid.server import ARM_TOPIC, CUSTOM_TOPIC, EventGrid

__all__ = ["ARM_TOPIC", "CUSTOM_TOPIC", "DeliveryFaults", "EventGrid"]
