"""Images as rows refer to them and as the model gets them: upright RGB within a pixel budget.

Read open_images, then image_refs."""
