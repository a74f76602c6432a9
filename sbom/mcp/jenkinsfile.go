package mcp

import (
	"bytes"
	"strings"

	"countermark/sbom/lazyregexp"
)

// A Jenkinsfile is a program in Groovy, which nobody here runs or parses. Its steps
// that start a shell are calls with a text (jenkins.io/doc, "Pipeline: Nodes and
// Processes"), and these are read: sh 'npx a', bat(script: "…"). A text that another
// part of the program puts together is not, but one that is kept in a variable and
// begins with a launcher is read as what it is kept for.

// jenkinsSteps are the steps that take a script, with its shell.
var jenkinsSteps = map[string]string{"sh": "sh", "bat": "cmd", "powershell": "powershell", "pwsh": "pwsh"}

var (
	// jenkinsCall ends what stands before the text of a step.
	jenkinsCall = lazyregexp.New(`(?s)(?:^|[^A-Za-z0-9_.$'"])(sh|bat|powershell|pwsh)\s*(?:\(\s*)?(?:(?:[A-Za-z]+\s*:\s*(?:[A-Za-z0-9_.]+|'[^'\n]*'|"[^"\n]*")\s*,\s*)*script\s*:\s*)?$`)
	// jenkinsImage ends what stands before the name of an image.
	jenkinsImage = lazyregexp.New(`(?s)\bdocker(?:\.image\s*\(\s*|\s+|\s*\{(?:[^{}'"]|'[^'\n]*'|"[^"\n]*")*?\bimage\s+)$`)
	// jenkinsKept ends what stands before a text that is kept.
	jenkinsKept = lazyregexp.New(`[A-Za-z0-9_\]]\s*=\s*$`)
)

// maxBefore bounds what is looked at before a text.
const maxBefore = 512

func (f *finder) jenkinsfile() {
	if wide(f.data) {
		f.bad(1, "the file is no plain text", "save it as UTF-8, or exclude it in the policy")
		return
	}
	body := string(bytes.TrimPrefix(f.data, byteOrderMark))
	var code strings.Builder // what was read, without comments
	line := 1
	for i := 0; i < len(body); {
		rest := body[i:]
		n := 1
		switch {
		case strings.HasPrefix(rest, "//"):
			n = strings.IndexByte(rest+"\n", '\n')
		case strings.HasPrefix(rest, "/*"):
			n = len(rest)
			if end := strings.Index(rest[2:], "*/"); end >= 0 {
				n = end + 4
			}
		case rest[0] == '\'' || rest[0] == '"':
			var text string
			text, n = groovyText(rest)
			f.jenkinsText(text, tail(code.String()), line)
			code.WriteString(rest[:n])
		default:
			code.WriteByte(rest[0])
		}
		line += strings.Count(rest[:n], "\n")
		i += n
	}
}

func tail(s string) string { return s[max(0, len(s)-maxBefore):] }

// groovyText takes a text in quotes, one or three, and returns it with its length in
// the file.
func groovyText(s string) (text string, n int) {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) {
		quote = s[:3]
	}
	var b strings.Builder
	for i := len(quote); i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], quote):
			return b.String(), i + len(quote)
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '\n':
			default:
				b.WriteByte(s[i])
			}
		case quote[0] == '"' && strings.HasPrefix(s[i:], "${"):
			// What Groovy puts in is a variable to whoever reads the file.
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				end = len(s) - i - 1
			}
			b.WriteString(expressionVariable)
			i += end
		case s[i] == '\n' && len(quote) == 1:
			return b.String(), i // it does not end
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s)
}

func (f *finder) jenkinsText(text, code string, line int) {
	switch {
	case jenkinsCall.MatchString(code):
		step := jenkinsCall.FindStringSubmatch(code)[1]
		if tells(text) {
			f.script(jenkinsSteps[step], scriptText{name: step, body: text, line: line})
		}
	case jenkinsImage.MatchString(code):
		f.add(step{name: "docker", image: "image", words: []word{{text: text, at: f.at(line)}}})
	case jenkinsKept.MatchString(code):
		if words := fieldsOf(word{text: text}); len(words) > 1 && mentioned(words[0]) && !isPath(words[0].text) {
			f.oneLine(scriptText{name: "variables", body: text, line: line}, line)
		}
	}
}
