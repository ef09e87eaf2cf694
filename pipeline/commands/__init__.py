"""Commands that people and CI type: a module a group, and the line on which all of them stand."""
