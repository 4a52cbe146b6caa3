package authlog

import "strings"

// Defuse keeps a spreadsheet from taking a cell of CSV for a formula: what
// begins like one gets an apostrophe in front, which OWASP's page on CSV
// injection names and spreadsheets do not show. So does what follows a
// semicolon, at which some spreadsheets begin another cell.
func Defuse(cell string) string {
	if !strings.ContainsAny(cell, formulas) {
		return cell
	}
	var out strings.Builder
	begins := true
	for _, r := range cell {
		if begins && strings.ContainsRune(formulas, r) {
			out.WriteByte('\'')
		}
		out.WriteRune(r)
		begins = r == ';'
	}
	return out.String()
}

// formulas are what a spreadsheet's formula may begin with.
const formulas = "=+-@\t\r\n＝＋－＠"
