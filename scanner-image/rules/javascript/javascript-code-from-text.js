function calculate(text) {
  // ruleid: javascript-code-from-text
  eval(text)
  // ruleid: javascript-code-from-text
  new Function('x', text)
  // ok: javascript-code-from-text
  eval('1 + 1')
  // ok: javascript-code-from-text
  return JSON.parse(text)
}
