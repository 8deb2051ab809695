"""The in-house service of the hello platform: takes a DICOM file, answers a summary, keeps both."""
