"""A stand-in for a treatment machine: takes plans over DICOM, checks them as a machine would, delivers nothing."""
