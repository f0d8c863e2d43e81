"""What stands above resources: subscriptions, resource groups, deployments, the cloud's metadata, identities."""
