package passport

// DeviationSections is the table of codes, for the test that wants a case for each.
var DeviationSections = deviationSections
