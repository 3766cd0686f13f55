"""Stack files and the typed settings that they hold."""
