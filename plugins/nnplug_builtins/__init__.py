"""The built-in plugins of nnplug: one file a plugin, registered through entry points like anybody's."""
