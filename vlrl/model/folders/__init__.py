"""Model folders and hub ids: whether what they promise is there, before weights are read.

Read model_folder, then model_processor and weight_files."""
