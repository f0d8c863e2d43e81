"""The ports on Azure. Only this package imports Azure service SDKs, and each SDK is imported when it is first used."""
