"""One door for each kind of file that is read back: it bounds sizes and depths, checks what it finds against
what rnnlab writes there, and says of a damaged file what is wrong with it and what to do.

Whatever lies in a run folder, in a sweep's or in the cache may have been cut short, edited, or made by
somebody else: nobody opens it but the modules here.
"""

CURVES, VALIDATION = "curves", "validation"
"""What TensorBoard's tags of both splits' metrics begin with, and the folder of those of the validation."""
