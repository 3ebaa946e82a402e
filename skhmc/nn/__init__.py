"""Pure torch: losses, modules and the max constraint. No scikit-learn, no skorch."""
