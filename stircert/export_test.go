package stircert

// LintRuleNames are the names of the rules of Lint.
func LintRuleNames() []string {
	var names []string
	for _, r := range lintRules {
		names = append(names, r.name)
	}
	return names
}

// PolicyRow is a row of what must fail a call.
type PolicyRow struct {
	Problem         Problem
	Section, Reason string
}

// LeafPolicy and IssuerPolicy are the tables.
func LeafPolicy() []PolicyRow   { return rowsOf(leafPolicy) }
func IssuerPolicy() []PolicyRow { return rowsOf(issuerPolicy) }

func rowsOf(policy []policyRow) []PolicyRow {
	var rows []PolicyRow
	for _, r := range policy {
		rows = append(rows, PolicyRow{r.problem, r.section, r.reason})
	}
	return rows
}

// Met counts the spans of the codes of parent that are compared with the numbers of child.
func Met(parent, child TNAuthList, data *NumberData) int {
	spcs := map[string]bool{}
	for _, spc := range parent.SPCs {
		spcs[spc] = true
	}
	var asked []digitSpan
	for _, r := range child.Ranges {
		if s, ok := digitsOf(r); ok {
			asked = append(asked, s)
		}
	}
	return len(data.meeting(spcs, asked))
}

// ParseNumberDataWithin is ParseNumberData with other limits.
var ParseNumberDataWithin = parseNumberData

// Blocks counts the blocks that the rows of all codes make up.
func Blocks(data *NumberData) int { return len(data.held) }

// ParseCRLPoints reads the value of the extension.
var ParseCRLPoints = parseCRLPoints
