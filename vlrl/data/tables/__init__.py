"""Tables of rows on disk, compressed, or on a hub, read as they were written.

Read table_files, then row_source; the other files are formats."""
