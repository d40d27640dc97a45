"""What is made from a picture, its alpha and the subject's own colours. One class a file; `registry` lists them."""
