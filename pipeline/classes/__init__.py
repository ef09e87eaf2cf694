"""What kinds of task share whose examples are each of one class: their measures, their decision and their page."""
