"""Images through the vision tower, once each.

Read image_encoding, then image_features and feature_cache."""
