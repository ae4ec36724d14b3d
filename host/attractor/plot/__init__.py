"""Pictures of networks, by matplotlib: a module for each family, and those that several share."""
