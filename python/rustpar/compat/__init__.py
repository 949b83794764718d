"""Parts of pytest, pluggy and plugins that have no public interface."""
