"""What a template must not have done if it is to be forked into workers, and where that was done."""
