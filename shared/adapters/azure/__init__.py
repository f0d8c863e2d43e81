"""The ports on Azure: the only home of Azure's service SDKs, which are imported when they are first used."""
