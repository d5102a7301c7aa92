"""Problems as a data set for others: parquet with images in it, a card, and a recipe that reads it.

Read dataset_folder, then table_rows."""
