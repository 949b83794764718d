"""Tests in processes of their own (``--rustpar-forked``), forked from the process that would run them."""
