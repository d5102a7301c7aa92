"""Programs that draw: what they draw is compared with a target image. Read image_similarity, then visual_code."""
